"""Values that are one spelling away from what is wanted: `"5"` for 5, `"true"` for true, `"{}"` for {}.

Models write them. What loses nothing is read as what it means, and the rest is refused. Each function gives the value
of the wanted kind, or None where there is none. Texts of a whole number or a number are those of JSON (RFC 8259).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from integrations.json_text import read_json, write_json

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,399})(?:\.0+)?")
# A double keeps fifteen significant digits of any decimal number.
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?:[eE][-+]?[0-9]{1,2})?")
_DIGITS: Final = 15
_LARGEST_EXACT: Final = 2**53
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SHOWN_KEYS: Final = 12
_SHOWN_DEPTH: Final = 4


def integer_from(value: Any) -> int | None:
    """`5`, `5.0`, `"5"` and `"5.0"` are 5."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value.partition(".")[0])
    return None


def number_from(value: Any) -> int | float | None:
    """A number as it is, or the number that a text writes with no more digits than a number keeps."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _plain(value)
    whole = integer_from(value)
    if whole is not None or not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return whole
    digits = re.split("[eE]", value)[0].replace(".", "").lstrip("-0")
    if len(digits) > _DIGITS:
        return None
    return _plain(float(value))


def _plain(number: int | float) -> int | float:
    """`5.0` is 5, as JavaScript writes it."""
    return int(number) if number == number // 1 and abs(number) < 1e21 else number


def boolean_from(value: Any) -> bool | None:
    """`true` and `"true"` are true."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def text_from(value: Any) -> str | None:
    """A text as it is, or the digits of a number that JavaScript holds exactly and writes in full."""
    if isinstance(value, str):
        return value
    whole = integer_from(value)
    if whole is not None:
        return str(whole) if abs(whole) <= _LARGEST_EXACT else None
    digits = repr(value) if isinstance(value, float) else ""
    return digits if _DECIMAL.fullmatch(digits) and "e" not in digits and len(digits) <= _DIGITS else None


def object_from(value: Any) -> dict[str, Any] | None:
    """An object as it is, or the one that a text holds as JSON."""
    found = _parsed(value, "{")
    return found if isinstance(found, dict) else None


def list_from(value: Any) -> list[Any] | None:
    """A list as it is, or the one that a text holds as JSON."""
    found = _parsed(value, "[")
    return found if isinstance(found, list) else None


def _parsed(value: Any, first: str) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(first):
        return value
    try:
        return read_json(value)
    except ValueError:
        return None


_READERS: Final = {
    "integer": integer_from,
    "number": number_from,
    "boolean": boolean_from,
    "string": text_from,
    "object": object_from,
    "array": list_from,
}


def read_as(value: Any, types: str | Sequence[str]) -> Any:
    """The value as one of these JSON Schema types, the first that it can be; None for none of them."""
    for name in (types,) if isinstance(types, str) else types:
        reader = _READERS.get(name)
        found = reader(value) if reader is not None else None
        if found is not None:
            return found
    return None


def typescript(value: Any, limit: int = 80) -> str:
    """A value as code writes it, at most `limit` characters: `null`, `"5"`, `{a: 1}`."""
    text = _written(value, _SHOWN_DEPTH)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _written(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        shown = [f"{_key(key)}: {_written(item, depth - 1)}" for key, item in _first(value.items(), depth)]
        return f"{{{', '.join([*shown, *_more(value, shown)])}}}"
    if isinstance(value, list | tuple):
        items = [_written(item, depth - 1) for item in _first(value, depth)]
        return f"[{', '.join([*items, *_more(value, items)])}]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, str):
        return _quoted(value)
    return {True: "true", False: "false"}.get(value, "null")


def _quoted(text: str) -> str:
    try:
        return write_json(text[:1000]).decode()
    except TypeError:
        return ascii(text[:1000])


def _key(key: str) -> str:
    return key if _IDENTIFIER.fullmatch(key) else _quoted(key)


def _first(items: Any, depth: int) -> list[Any]:
    return list(items)[:_SHOWN_KEYS] if depth > 0 else []


def _more(value: Any, shown: list[str]) -> list[str]:
    return ["..."] if len(value) > len(shown) else []
