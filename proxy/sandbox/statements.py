"""Top-level statements of code, found by reading its tokens: where the last one begins, module syntax, unknown syntax.

Nothing here changes what code means unless the engine's parser agrees: a wrong guess is refused by it and dropped."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from proxy.sandbox.tokens import Token, Tokens

_NO_EXPRESSION = frozenset(
    "return const let var function class if for while do switch try throw break continue debugger import export"
    " with else case default catch finally async".split()
)
_TYPE_WORDS = frozenset("type interface enum namespace declare abstract module".split())
_GOES_ON = frozenset("instanceof in of as satisfies else catch finally from".split())
_WANTS_MORE = frozenset(
    "else do typeof new await void delete in of instanceof case throw const let var async function class extends yield"
    " import export default if for while switch try finally as satisfies static get set".split()
)
OPERANDS = frozenset(("name", "number", "string"))  # kinds of tokens
HEADERS = frozenset(("if", "for", "while", "with", "switch", "catch"))
_BLOCKS = frozenset(("function", "class", "async", "try", "switch", "if", "for", "while"))
_ENDS = frozenset((")", "]", "}", "++", "--"))
_BEGINS = frozenset(("!", "~", "++", "--", "{", "@"))
_PREFIXES = frozenset(("(", "[", "!", "~", "+", "-", "++", "--"))
_DECLARED = frozenset(
    "interface declare abstract namespace module enum const let var function async class".split()
)
_LINE_END = re.compile(r"[\n\r\u2028\u2029]")
_NOT_LINE_END = re.compile(r"[^\n\r\u2028\u2029]")
_DEFAULT = "var $default="
_ELEMENT_ADVICE = (
    "JSX (<Name>...</Name>) is not supported here: there is nothing to render. Return plain values or text."
)
IMPORT_ADVICE = (
    "is not available. This sandbox has no network, files or modules: reach everything through tools, for example "
    'await tools.search({query: "what you need"}).'
)


class SyntaxRefusal(NamedTuple):
    """Syntax that cannot run here: what to do instead, and where it stands (offset)."""

    message: str
    offset: int


class PlainSource(NamedTuple):
    """Code without module syntax. `default`: it returns what was exported as default."""

    source: str
    default: bool
    refusal: SyntaxRefusal | None


def blank(text: str) -> str:
    """Spaces in place of everything but line ends."""
    return _NOT_LINE_END.sub(" ", text)


# ---- where statements begin ----------------------------------------------------------------------------------------
def starts(text: str, tokens: Tokens, first: int, end: int) -> list[int]:
    """Indexes of the tokens that begin a top-level statement, by the rules for line ends (ECMA-262, 12.10)."""
    items, match = tokens.items, tokens.match
    found = [first] if first < end else []
    at = first
    while at < end:
        following = max(match.get(at, at), at) + 1
        if following < end and _separated(text, tokens, found[-1], following):
            found.append(following)
        at = following
    return [index for index in found if items[index][1] != ";"]


def _separated(text: str, tokens: Tokens, start: int, index: int) -> bool:
    """Whether a new statement begins at token `index`; the one before began at `start`."""
    items, match = tokens.items, tokens.match
    (kind, before, at), (next_kind, following, next_at) = items[index - 1], items[index]
    if before == ";":
        return True
    if following in _GOES_ON:
        return False
    if before == "}" and items[start][1] in _BLOCKS and _ends_block(tokens, start, index - 1):
        return not (following == "while" and items[start][1] == "do")
    if _LINE_END.search(text, at + len(before), next_at) is None:
        return before == "}" and next_kind in OPERANDS
    if (kind == "punct" and before not in _ENDS) or (kind == "name" and before in _WANTS_MORE):
        return False
    if before == ")":
        opener = match.get(index - 1, 0)
        if opener and items[opener - 1][1] in (*HEADERS, "await"):
            return False
    if kind == "template" and not before.endswith("`"):
        return False
    return next_kind in OPERANDS or following in _BEGINS


def _ends_block(tokens: Tokens, start: int, close: int) -> bool:
    """Whether the brace at `close` ends the statement at `start` whatever follows."""
    items, opener = tokens.items, tokens.match.get(close, 0)
    if items[start][1] in ("if", "for", "while"):
        return items[opener - 1][1] in (")", "else")
    return items[start][1] != "async" or (start + 1 < opener and items[start + 1][1] == "function")


def is_declaration(items: list[Token], index: int) -> bool:
    """Whether a function or class with a name begins at token `index`."""
    while _word(items, index) in ("async", "function", "class", "*"):
        index += 1
    return index > 0 and _word(items, index - 1) in ("function", "class", "*") and items[index][0] == "name"


def _declares_function(items: list[Token], index: int) -> bool:
    index += _word(items, index) == "async"
    if _word(items, index) != "function":
        return False
    index += 2 if _word(items, index + 1) == "*" else 1
    return index < len(items) and items[index][0] == "name"


def last_expression(items: list[Token], begins: list[int]) -> int | None:
    """The offset at which the last of several statements begins, if it looks like an expression. Functions declared
    behind it were there before, so they do not count.
    """
    if len(begins) < 2:
        return None
    index = next((one for one in reversed(begins) if not _declares_function(items, one)), begins[-1])
    kind, word, at = items[index]
    following = items[index + 1] if index + 1 < len(items) else ("", "", 0)
    if word in _NO_EXPRESSION or word in ("{", "}", "@") or following[1] == ":":
        return None
    if word in _TYPE_WORDS and following[0] == "name":
        return None
    return at if kind != "punct" or word in _PREFIXES else None


# ---- import and export ---------------------------------------------------------------------------------------------
def without_modules(text: str, tokens: Tokens) -> PlainSource:
    """`import type` and `export type` dropped, `export` taken off, `export default` returned, `import` refused."""
    items, match = tokens.items, tokens.match
    exported: str | None = None
    for index in starts(text, tokens, 0, len(items)):
        word, at = items[index][1], items[index][2]
        if word == "import":
            end = _type_import_end(items, match, index)
            if end is None and not _is_dynamic(items, index):
                return PlainSource(text, False, SyntaxRefusal(f"import {IMPORT_ADVICE}", at))
            text = _blanked(text, at, end or at)
        elif word == "export":
            step = _without_export(text, tokens, index)
            if step is None:
                what = (
                    "export ... from"
                    if _word(items, index + 1) in ("*", "{", "type")
                    else "this kind of export"
                )
                return PlainSource(text, False, SyntaxRefusal(f"{what} {IMPORT_ADVICE}", at))
            text, exported = step[0], step[1] or exported
    return PlainSource(f"{text}\n;return {exported}" if exported else text, exported is not None, None)


def _blanked(text: str, at: int, end: int) -> str:
    return text[:at] + blank(text[at:end]) + text[end:]


def _word(items: list[Token], index: int) -> str:
    return items[index][1] if index < len(items) else ""


def _is_dynamic(items: list[Token], index: int) -> bool:
    return _word(items, index + 1) in ("(", ".")


def _type_import_end(items: list[Token], match: dict[int, int], index: int) -> int | None:
    """Where `import type ... from "x"` or `import {type A} from "x"` ends; None if it imports values."""
    at = index + 1
    if _word(items, at) == "type" and _word(items, at + 1) not in ("from", ",", ""):
        at += 1
    elif _word(items, at) != "{" or not _only_types(items, at + 1, match.get(at, at)):
        return None
    while at < len(items) and items[at][1] != "from":
        at += 1
    return _after_source(items, at + 1)


def _only_types(items: list[Token], at: int, end: int) -> bool:
    names = [k for k in range(at, end) if items[k - 1][1] in ("{", ",") and items[k][0] == "name"]
    return bool(names) and all(items[k][1] == "type" and items[k + 1][0] == "name" for k in names)


def _after_source(items: list[Token], at: int) -> int | None:
    if at >= len(items) or items[at][0] != "string":
        return None
    return items[at][2] + len(items[at][1])


def _without_export(text: str, tokens: Tokens, index: int) -> tuple[str, str | None] | None:
    """The text without `export`, and the name to return; None for what would need a module."""
    items, match = tokens.items, tokens.match
    at, word = items[index][2], _word(items, index + 1)
    if word == "default":
        return _without_default(text, items, index)
    if word in _DECLARED or (word == "type" and _word(items, index + 2) not in ("{", "*")):
        return _blanked(text, at, at + len("export")), None
    opener = index + (2 if word == "type" else 1)
    if _word(items, opener) != "{" and word != "type":
        return None
    close = match.get(opener, opener)
    end: int | None = items[close][2] + 1
    if _word(items, close + 1) == "from":
        end = _after_source(items, close + 2) if word == "type" else None
    if end is None:
        return None
    return _blanked(text, at, end), _as_default(items, opener, close)


def _as_default(items: list[Token], opener: int, close: int) -> str | None:
    found = (k for k in range(opener, close) if items[k][1] == "default" and items[k - 1][1] == "as")
    return next((items[k - 2][1] for k in found), None)


def _without_default(text: str, items: list[Token], index: int) -> tuple[str, str]:
    at = items[index][2]
    end = items[index + 1][2] + len("default")
    name = index + 2
    while _word(items, name) in ("async", "function", "class", "abstract", "*"):
        name += 1
    named = (
        name < len(items) and items[name][0] == "name" and _word(items, name) not in ("extends", "implements")
    )
    if name > index + 2 and named and items[name - 1][1] != "async":
        return _blanked(text, at, end), items[name][1]
    return text[:at] + _DEFAULT + blank(text[at + len(_DEFAULT) : end]) + text[end:], "$default"


# ---- what neither the transform nor the engine knows ----------------------------------------------------------------
def unknown_syntax(text: str, tokens: Tokens) -> SyntaxRefusal | None:
    """The first decorator, `accessor` field, `using` declaration, `import.meta` or JSX element."""
    items = tokens.items
    for index, (kind, word, at) in enumerate(items):
        if word == "<" and _is_element(text, items, index):
            return SyntaxRefusal(_ELEMENT_ADVICE, at)
        if word == "import" and _word(items, index + 1) == "." and _word(items, index + 2) == "meta":
            return SyntaxRefusal(f"import.meta {IMPORT_ADVICE}", at)
        if word == "@" and index + 1 < len(items) and items[index + 1][0] == "name":
            return SyntaxRefusal("Decorators (@name) are not supported here: call the function yourself.", at)
        if kind != "name" or word not in ("accessor", "using") or index + 2 >= len(items):
            continue
        name, then = items[index + 1], items[index + 2][1]
        if (
            name[0] != "name"
            or name[1] in ("in", "of", "instanceof", "as")
            or then not in ("=", ";", ":", "}")
        ):
            continue
        advice = "use get and set" if word == "accessor" else "use try and finally"
        return SyntaxRefusal(f"`{word}` declarations are not supported here: {advice}.", at)
    return None


def _is_element(text: str, items: list[Token], index: int) -> bool:
    """Whether `<` stands where a value begins, with a name or `>` at once behind it, and is closed as an element is.
    Text between elements is no code: its apostrophes would begin strings, so closing tags are looked for as text."""
    kind, name, at = items[index + 1] if index + 1 < len(items) else ("", "", -1)
    if at != items[index][2] + 1 or (kind != "name" and name != ">"):
        return False
    before_kind, before, _ = items[index - 1] if index else ("punct", ";", 0)
    if (before_kind != "punct" or before in _ENDS) and before not in (
        "return",
        "default",
        "await",
        "yield",
        "case",
    ):
        return False
    return f"</{name.removesuffix('>')}" in text[at:] or _closes_itself(items, index)


def _closes_itself(items: list[Token], index: int) -> bool:
    """Whether `/>` comes before the next `>`."""
    for (_, word, at), (_, following, next_at) in pairwise(items[index:]):
        if following == ">":
            return word == "/" and next_at == at + 1
    return False
