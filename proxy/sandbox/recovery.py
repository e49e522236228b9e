"""What a model sent, as code that can run: fences off, the one function called, positions kept.

Rules, in this order:
- Of code in Markdown fences only the content of the first fence counts.
- `export default` before the code is dropped, and so are semicolons at its end.
- A lone expression that is a function is to be called.

Everything that is taken away is replaced by spaces, line by line, so that the lines and columns of what remains are
those of the code as sent. Whether the rest is an expression or a function body is for the engine's parser to say.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.sandbox.tokens import Token, Tokens

_FENCE = re.compile(r"^[ \t]*```[ \t]*[\w+.-]*[ \t]*\r?$", re.MULTILINE)
_FENCE_END = re.compile(r"^[ \t]*```", re.MULTILINE)
_ONE_LINE_FENCE = re.compile(r"\s*```(?:(?:js|javascript|ts|typescript|jsx|tsx)\b)?(.*?)```\s*", re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n\r\u2028\u2029]")
_GENERIC_KINDS = frozenset(("name", "string", "number"))
_GENERIC_PUNCT = frozenset((".", ",", "|", "&", "[", "]", "{", "}", ":", ";", "?"))


class Recovered(NamedTuple):
    """`source`: what to compile as a body; `expression`: the same as an expression, that is without
    semicolons at its end. `call`: if it is a lone expression, call its value. `typed`: it parses as
    JavaScript perhaps, but means something else in TypeScript, as in `f<string>(x)`."""

    source: str
    expression: str
    call: bool
    typed: bool
    first: tuple[int, int]  # line and column, from 1, of the first token


def recover(code: str) -> Recovered:
    """Apply the rules above to code as sent."""
    source = unfence(code)
    tokens = Tokens(source)
    items = tokens.items
    end = len(items)
    if end > 1 and items[0][1] == "export" and items[1][1] == "default":
        start = items[1][2] + len("default")
        source = _blank(source[:start]) + source[start:]
        first = 2
    else:
        first = 0
    expression = source
    while end > first and items[end - 1][1] == ";":
        end -= 1
        at = items[end][2]
        expression = expression[:at] + " " + expression[at + 1 :]
    at = items[first][2] if first < len(items) else 0
    place = source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
    return Recovered(source, expression, _is_function(tokens, first, end), _has_type_arguments(items), place)


def unfence(code: str) -> str:
    """The content of the first fence, or the code itself; what is outside becomes spaces."""
    opening = _FENCE.search(code)
    if opening is None:
        return _unfence_line(code)
    closing = _FENCE_END.search(code, opening.end())
    end = closing.start() if closing else len(code)
    return _blank(code[: opening.end()]) + code[opening.end() : end].rstrip()


def _unfence_line(code: str) -> str:
    found = _ONE_LINE_FENCE.fullmatch(code)
    if found is None:
        return code.rstrip()
    return _blank(code[: found.start(1)]) + found.group(1).rstrip()


def _blank(text: str) -> str:
    return _NOT_NEWLINE.sub(" ", text)


def _is_function(tokens: Tokens, first: int, end: int) -> bool:
    """Whether tokens first..end are one function or arrow expression, if they are one expression at all."""
    items, match = tokens.items, tokens.match
    while end - first > 2 and items[first][1] == "(" and match.get(first) == end - 1:
        first, end = first + 1, end - 1
    at = first + 1 if end > first and items[first][1] == "async" else first
    if at >= end:
        return False
    if items[at][1] == "function":
        return _function_ends_at(tokens, at, end)
    close = match.get(at, at) if items[at][1] == "(" else at
    return close + 1 < end and items[close + 1][1] == "=>" and not _has_comma(tokens, close + 2, end)


def _function_ends_at(tokens: Tokens, at: int, end: int) -> bool:
    items, match = tokens.items, tokens.match
    while at < end and items[at][1] != "(":
        at += 1
    body = match.get(at, end) + 1
    return body < end and items[body][1] == "{" and match.get(body) == end - 1


def _has_comma(tokens: Tokens, at: int, end: int) -> bool:
    while at < end:
        if tokens.items[at][1] == ",":
            return True
        at = max(tokens.match.get(at, at), at) + 1
    return False


def _has_type_arguments(items: list[Token]) -> bool:
    """`name<...>(` or ``name<...>` ` with nothing between the angles that an expression would need."""
    for index, (_, text, _) in enumerate(items):
        if text == "<" and index and items[index - 1][0] == "name" and _closes_generic(items, index + 1):
            return True
    return False


def _closes_generic(items: list[Token], at: int) -> bool:
    depth = 1
    while at < len(items):
        kind, text, _ = items[at]
        if text in (">", ">>", ">>>"):
            depth -= len(text)
            if depth <= 0:
                following = items[at + 1] if at + 1 < len(items) else ("", "", 0)
                return depth == 0 and (following[1] == "(" or following[1][:1] == "`")
        elif text == "<":
            depth += 1
        elif kind not in _GENERIC_KINDS and text not in _GENERIC_PUNCT:
            return False
        at += 1
    return False
