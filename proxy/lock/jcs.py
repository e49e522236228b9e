"""JSON Canonicalization Scheme (RFC 8785): the one text of equal JSON values, whatever program writes it.

Two cases that the RFC leaves to errors are written instead, because upstreams send them and a change must be seen:
integers beyond 2^53 keep their digits, and half of a surrogate pair is an escape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def jcs(value: Any) -> bytes:
    """The canonical UTF-8 text. Raises ValueError for what is no JSON, and for what is nested beyond all use."""
    try:
        return _text(value).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deep to be canonical") from None


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        inside = ",".join(f"{_string(key)}:{_text(item)}" for key, item in members)
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    raise ValueError(f"{type(value).__name__} is no JSON")


def _string(text: str) -> str:
    """Escaped as JSON.stringify does: the shortest escapes, lower-case digits."""
    written = json.dumps(text, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def number(value: float) -> str:
    """As ECMAScript writes a double (Number::toString, radix 10). Raises ValueError for NaN and infinity."""
    if not isfinite(value):
        raise ValueError(f"{value} is no JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS * 10**point.
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
