"""JSON Pointers as they appear in `$ref` (RFC 6901 section 6: percent-encoded UTF-8 in a URI fragment), and reading
documents in which any value may stand anywhere.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from integrations.base import JsonObject

BRANCHES = ("oneOf", "anyOf", "allOf")
"""The keywords whose schemas judge the same value as the schema that they stand in."""

_MISSING = object()


def split_fragment(fragment: str) -> list[str]:
    """Tokens of `/components/schemas/a~1b` (without `#`), unescaped."""
    if not fragment:
        return []
    text = unquote(fragment) if "%" in fragment else fragment
    tokens = text.split("/")[1:] if text.startswith("/") else [text]
    if "~" in text:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    return tokens


def join_pointer(*tokens: str | int) -> str:
    """A JSON Pointer from raw tokens."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def walk(value: Any, tokens: list[str]) -> Any:
    """Follow tokens through mappings and lists. Raises `LookupError` when a step leads nowhere."""
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token, _MISSING)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            value = _MISSING
        if value is _MISSING:
            raise LookupError(token)
    return value


def mapping(value: Any) -> JsonObject:
    """The value, or an empty mapping in place of anything else."""
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> list[str]:
    """The strings of a list; empty for anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
