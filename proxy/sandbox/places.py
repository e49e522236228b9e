"""The exact place of an error for which the engine gives only a place near it.

The engine notes places for calls, operators and statements that are expressions, but none where a property is read or a
name is looked up: an error there is given the place noted before it in the text. The error names the property or name,
so what follows is searched for it, up to the end of the next call: if all places where it can have happened are in one
line, that line is told. Otherwise none is, and the text says where to look from: a wrong line is worse than none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from proxy.sandbox.moved import Place, offset_of
from proxy.sandbox.recovery import Recovered, place_at, unshifted
from proxy.sandbox.statements import HEADERS
from proxy.sandbox.tokens import Tokens

_PROPERTY = re.compile(r"^cannot (?:read|set) property '(.*)' of (?:undefined|null)", re.DOTALL)
_UNAWAITED = re.compile(r"^tools\..* was not awaited.*\)\)\.(\w+)$", re.DOTALL)
_SPREAD = re.compile(r"^tools\..* was not awaited, so it has nothing to spread")
_NAME = re.compile(r"^'?([\w$]+)'? is (?:not defined|not initialized|not available|read-only)")
_KEYWORDS = frozenset(
    "return await typeof void delete new in of instanceof case throw else do yield function async".split()
)
_LONGEST_CHAIN = 120
_FUNCTIONS = frozenset(("async", "function"))
# What is called with everything, and is there.
_KNOWN_FUNCTIONS = frozenset(
    "console.log console.info console.warn console.error console.debug emit String Number Boolean BigInt "
    "JSON.stringify JSON.parse Object.keys Object.values Object.entries Array.isArray Promise.all Promise.allSettled "
    "Promise.race".split()
)
_ITERATIONS = ("Symbol.iterator", "Symbol.asyncIterator")
_OPERAND_ENDS = frozenset((",", ";", ")", "]", "}"))


def locate(recovered: Recovered, message: str, near: Place) -> tuple[Place | None, int]:
    """The place if it is certain, and the line from which on to look otherwise."""
    tokens = Tokens(recovered.source)
    begin, end = _range(recovered, tokens, near)
    found = _places(recovered, tokens, _within(tokens, _candidates(tokens, message), begin, end))
    first_line = unshifted(place_at(recovered.source, begin), recovered.shifts)[0]
    lines = {line for line, _ in found}
    if len(lines) == 1:
        return min(found), first_line
    return None, min(lines, default=first_line)


def locate_unnoted(recovered: Recovered, message: str) -> tuple[Place | None, int] | None:
    """The same for an error of which the engine notes no place at all: `import()`, and what initialises the fields of a
    class. None if nothing is in the code that could throw it."""
    tokens = Tokens(recovered.source)
    if message.startswith("import()"):
        indexes = [k for k, (_, text, _) in enumerate(tokens.items) if text == "import"]
    else:
        fields = set(_in_fields(tokens))
        indexes = [k for k in _candidates(tokens, message) if k in fields]
    found = _places(recovered, tokens, indexes)
    lines = {line for line, _ in found}
    return ((min(found) if len(lines) == 1 else None), min(lines)) if lines else None


def _in_fields(tokens: Tokens) -> Iterator[int]:
    """Tokens in class bodies that are in no body of a method, accessor or function."""
    items, match = tokens.items, tokens.match
    for index, (_, text, _) in enumerate(items):
        if text != "class" or _word(tokens, index - 1) == ".":
            continue
        at = index + 1
        while at < len(items) and items[at][1] != "{":
            at = max(match.get(at, at), at) + 1
        end = match.get(at, at)
        while at < end:
            at = match[at] if _is_function_body(tokens, at) and at in match else at + 1
            yield at


def _places(recovered: Recovered, tokens: Tokens, indexes: Iterable[int]) -> set[Place]:
    at = (place_at(recovered.source, tokens.items[index][2]) for index in indexes)
    return {unshifted(one, recovered.shifts) for one in at}


def _within(tokens: Tokens, indexes: Iterable[int], begin: int, end: int) -> Iterator[int]:
    """Those that can be reached from `begin` on, before `end`: what is iterated or taken apart is read before."""
    for index in indexes:
        at = tokens.items[index][2]
        if at <= end and (at >= begin or _operand_end(tokens, index) >= begin):
            yield index


def _operand_end(tokens: Tokens, index: int) -> int:
    """The offset at which the operand of `of`, `...` or of a pattern's `=` ends; that of any other token is its own."""
    items, match = tokens.items, tokens.match
    if items[index][1] not in ("of", "...", "{", "["):
        return items[index][2]
    index = max(match.get(index, index), index) + 1
    while index < len(items) and items[index][1] not in _OPERAND_ENDS:
        index = max(match.get(index, index), index) + 1
    return items[index][2] if index < len(items) else len(items[-1][1]) + items[-1][2]


def locate_for_await(recovered: Recovered, noted: Place) -> tuple[Place | None, int] | None:
    """The same for what the engine calls "not a function": it may be what `for await` reads. None if there is none in
    reach. A tool is always a function, so behind its call it is the loop."""
    tokens = Tokens(recovered.source)
    begin, end = _range(recovered, tokens, noted)
    loops = list(_within(tokens, _async_iterations(tokens), begin, end))
    if not loops:
        return None
    called = next((k for k, (_, _, at) in enumerate(tokens.items) if at == begin), None)
    found = _places(recovered, tokens, loops)
    if called is not None and _word(tokens, called + 1) == "(" and not _is_tool(tokens, called):
        found.add(noted)
    lines = {line for line, _ in found}
    return (min(found) if len(found) == 1 else None), min(lines)


def _async_iterations(tokens: Tokens) -> Iterator[int]:
    """The `of` of each `for await`, and each `yield*`."""
    items, match = tokens.items, tokens.match
    for index, (_, text, _) in enumerate(items):
        if text == "await" and index and items[index - 1][1] == "for":
            yield from (k for k in range(index, match.get(index + 1, index)) if items[k][1] == "of")
        elif text == "*" and index and items[index - 1][1] == "yield":
            yield index


def _is_tool(tokens: Tokens, index: int) -> bool:
    while index > 1 and tokens.items[index - 1][1] in (".", "?."):
        index -= 2
    return tokens.items[index][1] == "tools"


def locate_call(recovered: Recovered, message: str, thrower: str, noted: Place) -> tuple[Place | None, int]:
    """The same for an error that a call throws: what is noted may be the last call in its arguments. `thrower` is the
    function that made the error, or the error's class."""
    tokens = Tokens(recovered.source)
    offset = offset_of(recovered, noted)
    index = next((k for k, (_, _, at) in enumerate(tokens.items) if at == offset), None)
    if index is None:
        return noted, noted[0]
    name = message.split(":")[0].rsplit(".", 1)[-1] if message.startswith("tools.") else thrower
    maker = _maker(tokens, index, name)
    if maker is not None:
        place = unshifted(place_at(recovered.source, tokens.items[maker][2]), recovered.shifts)
        return place, place[0]
    is_callee = _word(tokens, index + 1) == "(" and _word(tokens, index) not in _FUNCTIONS
    if message == "not a function" and thrower == "TypeError":
        callees = [index, *_calls_around(tokens, index)] if is_callee else [*_calls_holding(tokens, index)]
        return _certain(recovered, tokens, callees) if callees else (noted, noted[0])
    if not is_callee:
        return noted, noted[0]
    around = [index, *_calls_around(tokens, index)]
    places = [unshifted(place_at(recovered.source, tokens.items[k][2]), recovered.shifts) for k in around]
    for k, place in zip(around, places, strict=True):
        if tokens.items[k][1] == name:
            return place, place[0]
    return noted, noted[0]


def _certain(recovered: Recovered, tokens: Tokens, callees: Sequence[int]) -> tuple[Place | None, int]:
    """The one of these callees that can be no function, or the first line of several."""
    open_ones = [k for k in callees if _chain_before(tokens, k + 1) not in _KNOWN_FUNCTIONS] or callees
    places = [unshifted(place_at(recovered.source, tokens.items[k][2]), recovered.shifts) for k in open_ones]
    return (places[0] if len(places) == 1 else None), min(places)[0]


def named(sent: Recovered, place: Place) -> str:
    """`r.data.map is not a function`, for the callee at a place; the engine does not say which."""
    tokens, offset = Tokens(sent.source), offset_of(sent, place)
    index = next((k for k, (_, _, at) in enumerate(tokens.items) if at == offset), None)
    chain = _chain_before(tokens, index + 1) if index is not None and _word(tokens, index + 1) == "(" else ""
    return f"{chain} is not a function" if 0 < len(chain) <= _LONGEST_CHAIN else "not a function"


def _chain_before(tokens: Tokens, opener: int) -> str:
    """`r.data.map` where that is all that is called by this parenthesis; empty where it is something else."""
    at = opener - 1
    while at > 1 and tokens.items[at - 1][1] in (".", "?.") and tokens.items[at - 2][0] == "name":
        at -= 2
    before = _word(tokens, at - 1) if at else ""
    if tokens.items[at][0] != "name" or before in (".", "?."):
        return ""
    return "".join(text for _, text, _ in tokens.items[at:opener])


def _calls_holding(tokens: Tokens, index: int) -> Iterator[int]:
    """The callees of the calls in whose arguments token `index` stands, in the same function: a function or an operator
    there is noted behind them."""
    items, match, at, is_behind_comma = tokens.items, tokens.match, index - 1, False
    while at > 0:
        opposite, text = match.get(at, at), items[at][1]
        if opposite > at:
            if text == "{" and _is_function_body(tokens, at):
                return
            if _is_call(tokens, at):
                yield at - 1
            is_behind_comma = False
        elif opposite < at:
            at = opposite
        elif text == ";" or (text == "=>" and not is_behind_comma):
            return
        is_behind_comma = is_behind_comma or text == ","
        at -= 1


def _maker(tokens: Tokens, index: int, name: str) -> int | None:
    """The class of the outermost `new` of that name around a token, in the same function: what is noted for it is the
    last operator or call in its arguments, where there is one."""
    items, match, found, at = tokens.items, tokens.match, None, index - 1
    while at > 0:
        opposite, text = match.get(at, at), items[at][1]
        if opposite < at:
            at = opposite
        elif text in ("=>", ";") or (text == "{" and _is_function_body(tokens, at)):
            break
        elif _is_call(tokens, at) and items[at - 1][1] == name and _is_new(tokens, at - 1):
            found = at - 1
        at -= 1
    return found


def _is_new(tokens: Tokens, callee: int) -> bool:
    while callee > 1 and tokens.items[callee - 1][1] == ".":
        callee -= 2
    return callee > 0 and tokens.items[callee - 1][1] == "new"


def _calls_around(tokens: Tokens, index: int) -> Iterator[int]:
    """The callees of the calls that may follow at once when the call of token `index` is over: it ends their
    arguments."""
    items, match = tokens.items, tokens.match
    close = match.get(index + 1, index + 1)
    for opener in range(index - 1, 0, -1):
        end = match.get(opener, -1)
        if end <= close:
            if items[opener][1] == "=>" or (items[opener][1] == "{" and end > close):
                return
            continue
        if items[opener][1] == "{" and _is_function_body(tokens, opener):
            return
        if _is_call(tokens, opener):
            if any(_is_call(tokens, k) for k in range(close, end) if match.get(k, -1) > k):
                return
            yield opener - 1


def _candidates(tokens: Tokens, message: str) -> Iterator[int]:
    """Indexes of tokens at which this error can have been thrown."""
    if (found := _PROPERTY.match(message)) is not None:
        return _readers(tokens, found[1]) if found[1] not in _ITERATIONS else _iterations(tokens)
    if _SPREAD.match(message) is not None:
        return (index for index, item in enumerate(tokens.items) if item[1] == "...")
    if (found := _UNAWAITED.match(message)) is not None:
        return _readers(tokens, found[1])
    if (found := _NAME.match(message)) is not None:
        return _uses(tokens, found[1])
    if message.startswith("Cannot convert"):
        return _patterns(tokens)
    return _iterations(tokens) if "iterable" in message else iter(())


def _readers(tokens: Tokens, key: str) -> Iterator[int]:
    items = tokens.items
    for index in range(1, len(items)):
        kind, text, _ = items[index]
        before = items[index - 1][1]
        computed = before == "[" and _is_access(tokens, index - 1)
        if (
            (before == "." and text == key)
            or (computed and (kind != "string" or text[1:-1] == key))
            or (text == key and before in ("{", ",") and _is_pattern(tokens, index))
        ):
            yield index


def _is_access(tokens: Tokens, opener: int) -> bool:
    if opener == 0:
        return False
    kind, text, _ = tokens.items[opener - 1]
    return text in (")", "]", "}", "?.") or kind in ("name", "string", "template")


def _is_pattern(tokens: Tokens, index: int) -> bool:
    """Whether token `index` stands in, or begins, a destructuring pattern."""
    items, match = tokens.items, tokens.match
    openers = [
        k for k in range(index + 1) if match.get(k, -1) > index or (k == index and match.get(k, -1) > k)
    ]
    while openers and items[openers[-1]][1] in ("{", "["):
        close = match[openers.pop()]
        after = _word(tokens, close + 1)
        if after in ("=", "of"):
            return True
        if after not in ("}", "]", ",", ")"):
            return False
    if not openers or items[openers[-1]][1] != "(":
        return False
    before = _word(tokens, openers[-1] - 1) if openers[-1] else ""
    return _word(tokens, match[openers[-1]] + 1) in ("=>", "{") and before not in HEADERS - {"catch"}


def _word(tokens: Tokens, index: int) -> str:
    return tokens.items[index][1] if index < len(tokens.items) else ""


def _patterns(tokens: Tokens) -> Iterator[int]:
    for index, (_, text, _) in enumerate(tokens.items):
        if text == "delete" or (text == "{" and _is_pattern(tokens, index)):
            yield index


def _iterations(tokens: Tokens) -> Iterator[int]:
    items = tokens.items
    for index, (_, text, _) in enumerate(items):
        is_list = text == "[" and _is_pattern(tokens, index)
        if is_list or text in ("...", "of") or (text == "*" and items[index - 1][1] == "yield"):
            yield index


def _uses(tokens: Tokens, name: str) -> Iterator[int]:
    for index, (_, text, _) in enumerate(tokens.items):
        before = tokens.items[index - 1][1] if index else ""
        if text == name and before not in (".", "?.", "let", "const", "class", "typeof"):
            yield index


def _range(recovered: Recovered, tokens: Tokens, near: Place) -> tuple[int, int]:
    """Offsets between which the error lies: after `near`, in the same function, before the next call is over."""
    offset = offset_of(recovered, near)
    items = tokens.items
    pairs = [(opener, close) for opener, close in tokens.match.items() if opener < close]
    bodies = [
        (items[opener][2], items[close][2])
        for opener, close in pairs
        if items[opener][2] < offset <= items[close][2] and _is_function_body(tokens, opener)
    ]
    calls = (
        items[close][2]
        for opener, close in pairs
        if items[close][2] > offset and items[opener - 1][2] != offset and _is_call(tokens, opener)
    )
    end = max(bodies, default=(-1, len(recovered.source)))[1]
    return offset, min(end, min(calls, default=end))


def _is_call(tokens: Tokens, opener: int) -> bool:
    kind, text, _ = tokens.items[opener - 1] if opener else ("", "", 0)
    after = _word(tokens, tokens.match.get(opener, opener) + 1)
    is_callee = (kind == "name" and text not in HEADERS and text not in _KEYWORDS) or text in (
        ")",
        "]",
        "?.",
    )
    return tokens.items[opener][1] == "(" and is_callee and after not in ("{", "=>")


def _is_function_body(tokens: Tokens, opener: int) -> bool:
    before = tokens.items[opener - 1][1] if opener and tokens.items[opener][1] == "{" else ""
    if before != ")":
        return before == "=>"
    opening = tokens.match.get(opener - 1, 0)
    return opening == 0 or tokens.items[opening - 1][1] not in HEADERS
