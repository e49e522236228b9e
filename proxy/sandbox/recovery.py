"""What a model sent, as code that can run: fences off, the one function called, positions kept.

Rules, in this order:
- Of code in Markdown fences only the content of the first fence counts.
- Integer literals that a number cannot hold become BigInt literals.
- `export default` before the code is dropped, and so are semicolons at its end; other module syntax goes too.
- A lone expression that is a function is to be called.
- Of several statements the last may be an expression: its value is the result, if the engine's parser agrees.

Everything that is taken away is replaced by spaces, line by line, so that the lines and columns of what remains are
those of the code as sent; what is put in is told as `shifts`. Whether the rest is an expression or a function body is
for the engine's parser to say.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.sandbox.statements import (
    OPERANDS,
    SyntaxRefusal,
    blank,
    is_declaration,
    last_expression,
    starts,
    unknown_syntax,
    without_modules,
)
from proxy.sandbox.tokens import Token, Tokens

_FENCE = re.compile(r"^[ \t]*```[ \t]*[\w+.-]*[ \t]*\r?$", re.MULTILINE)
_FENCE_END = re.compile(r"^[ \t]*```", re.MULTILINE)
_ONE_LINE_FENCE = re.compile(r"\s*```(?:(?:js|javascript|ts|typescript|jsx|tsx)\b)?(.*?)```\s*", re.DOTALL)
_LONG_LITERAL = re.compile(r"\d[\d_.]{15}|0[xXoObB][\d_a-fA-F]{14}")
_POINTED = re.compile(
    r"(?P<digits>\d{1,40})(?P<point>\.)?(?P<fraction>\d{1,40})?(?:[eE]\+?(?P<exponent>\d{1,2}))?"
)
_MODULES = re.compile(r"\b(?:import|export)\b")
_UNKNOWN = re.compile(r"@|\baccessor\b|\busing\b|\bimport\s*\.|</|/>")
_HASHBANG = re.compile(r"\A#![^\n]*")
_SAFE_INTEGER = 2**53 - 1
_GENERIC_PUNCT = frozenset((".", ",", "|", "&", "[", "]", "{", "}", ":", ";", "?"))


class Recovered(NamedTuple):
    """`source`: what to compile as a body; `expression`: the same as an expression, that is without
    semicolons at its end. `call`: if it is a lone expression, call its value. `typed`: it parses as
    JavaScript perhaps, but means something else in TypeScript, as in `f<string>(x)`.

    `declares`: it begins with a function's or class's declaration that more follows, so it is no expression.
    `tail`: where the last statement begins, if it is an expression. `default`: the value is what the code exported as
    default; if that is a function, call it. `refusal`: module syntax that cannot run; `unknown`: syntax to blame if the
    code does not parse. `shifts`: (line, column, width) of what was put in."""

    source: str
    expression: str
    call: bool
    typed: bool
    first: tuple[int, int]  # line and column, from 1, of the first token
    declares: bool = False
    tail: int | None = None
    default: bool = False
    refusal: SyntaxRefusal | None = None
    unknown: SyntaxRefusal | None = None
    shifts: tuple[tuple[int, int, int], ...] = ()


def recover(code: str) -> Recovered:
    """Apply the rules above to code as sent."""
    source = _without_hashbang(unfence(code))
    tokens = Tokens(source)
    shifts: tuple[tuple[int, int, int], ...] = ()
    if _LONG_LITERAL.search(source):
        source, shifts = _exact_integers(source, tokens)
        tokens = Tokens(source)
    unknown = unknown_syntax(source, tokens) if _UNKNOWN.search(source) else None
    default, refusal = False, None
    if _MODULES.search(source) and not _is_lone_default(tokens):
        source, default, refusal = without_modules(source, tokens)
        tokens = Tokens(source)
    plain = _plain(source, tokens)
    return plain._replace(default=default, refusal=refusal, unknown=unknown, shifts=shifts)


def _without_hashbang(source: str) -> str:
    return _HASHBANG.sub(_spaces, source)


def _spaces(found: re.Match[str]) -> str:
    return blank(found.group())


def _is_lone_default(tokens: Tokens) -> bool:
    items = tokens.items
    begins = len(items) > 1 and items[0][1] == "export" and items[1][1] == "default"
    return begins and _is_function(tokens, 2, _end(items, 2))


def _end(items: list[Token], first: int) -> int:
    """The index after the last token that is no semicolon."""
    end = len(items)
    while end > first and items[end - 1][1] == ";":
        end -= 1
    return end


def _plain(source: str, tokens: Tokens) -> Recovered:
    items = tokens.items
    first = 0
    if len(items) > 1 and items[0][1] == "export" and items[1][1] == "default":
        start = items[1][2] + len("default")
        source = blank(source[:start]) + source[start:]
        first = 2
    while first < len(items) and items[first][1] == ";":  # empty statements, as those behind an import
        source = source[: items[first][2]] + " " + source[items[first][2] + 1 :]
        first += 1
    end = _end(items, first)
    expression = source
    for _, _, at in items[end:]:
        expression = expression[:at] + " " + expression[at + 1 :]
    at = items[first][2] if first < len(items) else 0
    call = _is_function(tokens, first, end)
    begins = [] if call else starts(source, tokens, first, end)
    declares = len(begins) > 1 and is_declaration(items, first)
    tail = last_expression(items, begins)
    typed = _has_type_arguments(items)
    return Recovered(source, expression, call, typed, place_at(source, at), declares, tail)


def place_at(text: str, at: int) -> tuple[int, int]:
    """An offset as (line, column), both from 1; only "\\n" ends a line, as in the engine."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def unshifted(place: tuple[int, int], shifts: tuple[tuple[int, int, int], ...]) -> tuple[int, int]:
    """A place in code with what `shifts` put in, as the place in the code as sent."""
    line, column = place
    moved = sum(min(width, column - at) for row, at, width in shifts if row == line and at < column)
    return line, column - moved


def _exact_integers(source: str, tokens: Tokens) -> tuple[str, tuple[tuple[int, int, int], ...]]:
    """Integer literals beyond 2^53 - 1 with an `n` behind them: as numbers they would be rounded to other integers."""
    parts: list[str] = []
    shifts: list[tuple[int, int, int]] = []
    done = 0
    for kind, text, at in tokens.items:
        if kind != "number" or len(text) < 16:
            continue
        end = at + len(text)
        if (whole := _whole(text)) is not None:
            parts += (source[done:at], f"{whole}n".ljust(len(text)))
            done = end
            continue
        if not _is_unsafe(text):
            continue
        line, column = place_at(source, end)
        column += sum(width for row, _, width in shifts if row == line)
        shifts.append((line, column, 1))
        parts += (source[done:end], "n")
        done = end
    return "".join(parts) + source[done:], tuple(shifts)


def _is_unsafe(literal: str) -> bool:
    try:
        return int(literal, 0) > _SAFE_INTEGER
    except ValueError:  # a fraction, an exponent, a BigInt already, or more digits than Python reads
        return literal.isdigit()


def _whole(literal: str) -> str | None:
    """The digits of a literal with a point or an exponent that writes each digit of an integer beyond 2^53 - 1, such as
    `9007199254740993.0`, where a number would be another one. Trailing zeros that only an exponent makes are a size,
    and no id: `6.02214076e23` stays a number.
    """
    found = _POINTED.fullmatch(literal.replace("_", ""))
    if found is None or not (found["point"] or found["exponent"]):
        return None
    fraction = (found["fraction"] or "").rstrip("0")
    digits, exponent = found["digits"] + fraction, int(found["exponent"] or 0)
    if exponent != len(fraction) or int(digits) <= _SAFE_INTEGER:
        return None
    whole = str(int(digits))
    return whole if int(float(literal.replace("_", ""))) != int(whole) else None


def unfence(code: str) -> str:
    """The content of the first fence, or the code itself; what is outside becomes spaces."""
    opening = _FENCE.search(code)
    if opening is None:
        return _unfence_line(code)
    closing = _FENCE_END.search(code, opening.end())
    end = closing.start() if closing else len(code)
    return blank(code[: opening.end()]) + code[opening.end() : end].rstrip()


def _unfence_line(code: str) -> str:
    found = _ONE_LINE_FENCE.fullmatch(code)
    if found is None:
        return code.rstrip()
    return blank(code[: found.start(1)]) + found.group(1).rstrip()


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
        elif kind not in OPERANDS and text not in _GENERIC_PUNCT:
            return False
        at += 1
    return False
