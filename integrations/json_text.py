"""The one reader and the one writer of JSON: of upstreams, agents and callers, of documents, caches and journals.

orjson does the work, and nothing else imports it (an import contract says so). It reads integers beyond 64 bits as
rounded floats, refuses half surrogate pairs and numbers beyond a double, and writes neither: those texts take a slower
way here, on which nothing is rounded or lost.

- Integers of any size are exact (a text of more than 4,300 digits stays a string of digits).
- Half a surrogate pair passes (RFC 8259, 8.2): read and written as an escape.
- A number beyond the range of a double stays a string, as it was written: `1e400` is `"1e400"`.
- A value is nested at most `MAX_DEPTH` levels deep. So every client can read it: the strictest known one reads 200
  levels, and envelopes of ours take a few of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

SORT_KEYS = orjson.OPT_SORT_KEYS
INDENT = orjson.OPT_INDENT_2
NON_STR_KEYS = orjson.OPT_NON_STR_KEYS
Fragment = orjson.Fragment
MAX_DEPTH = 180
# What orjson reads.
_READABLE_DEPTH = 1024
_ENVELOPES = 16
_MOST_DIGITS = 4300
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_LONG_RUN = re.compile(rb"0{19,}")
_MOST_DIGITS_64 = 20
# Empty where there is nothing before, or more blanks than are looked at.
_BEFORE_NUMBERS = (b"", b"[", b":", b",")
_MOST_BLANKS = 64
_SAFE_INTEGER = 2**53 - 1
_UNSAFE_NUMBER = b"0" * 16
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_BITS_64 = range(-(2**63), 2**64)


class JsonTooDeep(ValueError):
    """A value nested too deep to be passed on."""

    def __init__(self, levels: int = MAX_DEPTH) -> None:
        super().__init__(f"nested more than {levels} levels deep")


def read_json(data: bytes | str) -> Any:
    """JSON text in UTF-8. Raises ValueError (`JsonTooDeep` where it is nested beyond what can be read at all)."""
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if not _has_rounded_integer(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass  # what orjson alone refuses is told from what is no JSON by the slower reader
    try:
        text = raw.decode("utf-8", "surrogatepass")
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_no_constant)
    except RecursionError as error:
        raise JsonTooDeep from error
    # From Python 3.13 on this reader goes deeper than code that walks over what it has read.
    if raw.count(b"[") + raw.count(b"{") > _READABLE_DEPTH and _is_beyond(value, _READABLE_DEPTH):
        raise JsonTooDeep
    return value


def pruned(raw: bytes, levels: int) -> bytes:
    """JSON text with null in place of whatever is nested deeper than `levels`. Nothing here recurs."""
    out: list[bytes] = []
    depth = kept_from = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        if found[0] in (b"[", b"{"):
            depth += 1
            if depth == levels + 1:
                out += (raw[kept_from : found.start()], b"null")
        elif found[0] in (b"]", b"}"):
            if depth == levels + 1:
                kept_from = found.end()
            depth -= 1
    return b"".join(out) + (raw[kept_from:] if depth <= levels else b"")


def _is_beyond(value: Any, levels: int) -> bool:
    """Whether it is nested deeper, found out level by level: nothing here recurs."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def read_bounded(data: bytes | str) -> Any:
    """`read_json` of what nothing else bounds, as an upstream's document. Raises `JsonTooDeep` beyond `MAX_DEPTH`."""
    value = read_json(data)
    if is_too_deep(value):
        raise JsonTooDeep
    return value


def _has_rounded_integer(raw: bytes) -> bool:
    """Whether orjson may round an integer of this text; False is certain. Digits in strings and fractions are none."""
    digits = raw.translate(_AS_ZERO)
    at = digits.find(_LONG_NUMBER)
    while at >= 0:
        run = _LONG_RUN.match(digits, at)
        assert run is not None
        is_negative = raw[at - 1 : at] == b"-"
        before = raw[max(0, at - is_negative - _MOST_BLANKS) : at - is_negative].rstrip(b" \t\r\n")
        if before[-1:] in _BEFORE_NUMBERS and not _fits(raw[at : run.end()], is_negative):
            return True
        at = digits.find(_LONG_NUMBER, run.end())
    return False


def _fits(digits: bytes, is_negative: bool) -> bool:
    return len(digits) <= _MOST_DIGITS_64 and (-int(digits) if is_negative else int(digits)) in _BITS_64


def write_json(value: Any, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """JSON in UTF-8, with any of `SORT_KEYS`, `INDENT` and `NON_STR_KEYS`; `default` makes JSON of what has none.

    Raises `JsonTooDeep`, and TypeError for what has no JSON.
    """
    try:
        return orjson.dumps(value, default, option)
    except TypeError:
        return orjson.dumps(_encodable(value, MAX_DEPTH + _ENVELOPES), default, option)


def write_kept(value: Any) -> bytes:
    """`write_json` of what stays in memory. orjson writes into 4 KiB or more and leaves all of it to its result, which
    for many small texts is most of what they cost."""
    return b"%b" % write_json(value)


def write_value(value: Any, levels: int = MAX_DEPTH) -> bytes:
    """`write_json` of a value that comes in from outside: no deeper than `levels`."""
    around = _NATIVE_DEPTH - levels
    wrapped = value
    for _ in range(around):
        wrapped = [wrapped]
    try:
        return orjson.dumps(wrapped)[around:-around]
    except TypeError:
        return orjson.dumps(_encodable(value, levels))


def is_too_deep(value: Any, levels: int = MAX_DEPTH) -> bool:
    """Whether a value that comes in from outside is nested deeper than `levels`."""
    try:
        write_value(value, levels)
    except JsonTooDeep:
        return True
    return False


def has_unsafe_integers(text: bytes) -> bool:
    """Whether JSON text may hold integers beyond 2^53 - 1. False is certain."""
    return _UNSAFE_NUMBER in text.translate(_AS_ZERO)


def with_safe_integers(value: Any) -> Any:
    """The value with every integer that a JavaScript client would round as a string of its digits."""
    if isinstance(value, int):
        return value if -_SAFE_INTEGER <= value <= _SAFE_INTEGER else str(value)
    if isinstance(value, dict):
        return {key: with_safe_integers(item) for key, item in value.items()}
    return [with_safe_integers(item) for item in value] if isinstance(value, list) else value


def _encodable(value: Any, levels: int) -> Any:
    """The value with what orjson cannot write as fragments of JSON."""
    if isinstance(value, str):
        return value if _is_whole(value) else Fragment(json.dumps(value))
    if isinstance(value, int):
        return value if isinstance(value, bool) or value in _BITS_64 else Fragment(str(value))
    if is_dataclass(value) and not isinstance(value, type):  # as orjson itself writes them
        names = (field.name for field in fields(value) if not field.name.startswith("_"))
        value = {name: getattr(value, name) for name in names}
    if isinstance(value, dict | list | tuple) and levels == 0:
        raise JsonTooDeep
    if isinstance(value, dict):
        inner = {key: _encodable(item, levels - 1) for key, item in value.items()}
        return inner if all(map(_is_whole, filter(_is_text, inner))) else _fragment(inner)
    return [_encodable(item, levels - 1) for item in value] if isinstance(value, list | tuple) else value


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_text(key: Any) -> bool:
    return isinstance(key, str)


def _fragment(value: dict[Any, Any]) -> Fragment:
    """An object with half a surrogate pair in a name, in the order of the names."""
    members = ((key if isinstance(key, str) else str(key), item) for key, item in value.items())
    return Fragment(
        b"{%s}"
        % b",".join(
            b"%s:%s" % (json.dumps(key).encode(), orjson.dumps(item))
            for key, item in sorted(members, key=_name)
        )
    )


def _name(member: tuple[str, Any]) -> str:
    return member[0]


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _float(text: str) -> float | str:
    value = float(text)
    return text if math.isinf(value) else value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _native_depth() -> int:
    """How many levels orjson itself writes."""
    value: list[Any] = []
    for levels in range(1, 2000):
        try:
            orjson.dumps(value)
        except TypeError:
            return levels - 1
        value = [value]
    return 2000


_NATIVE_DEPTH = _native_depth()
