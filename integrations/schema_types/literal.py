"""Literal types: `const` and `enum` values."""

from __future__ import annotations

from math import isfinite
from typing import Any

from integrations.schema_types.text import string_literal

_LONGEST = 120


def literal_type(values: list[Any], limit: int) -> str:
    """A union of literals in order; more than `limit` of them, or an unwieldy one, are folded to the plain type."""
    shown = list(dict.fromkeys(_literal(value) for value in values[:limit]))
    if "unknown" in shown or not values:
        return "unknown" if values else "never"
    if len(values) > limit:
        plain = list(dict.fromkeys(_plain(value) for value in values))
        if limit > 0 and plain == ["string"]:
            return f"string /* {len(values)} values: {' | '.join(shown)} | ... */"
        return " | ".join(plain)
    return " | ".join(shown)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return string_literal(value) if len(value) <= _LONGEST else "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**21 else "number"
    if isinstance(value, float):
        return repr(value) if isfinite(value) else "number"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "unknown"
