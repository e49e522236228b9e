"""Notes: what the comment above a member says - what it is, its default, and the limits that are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integrations.schema_types.text import comment_text

_BOUNDS = (
    ("minimum", "minimum"),
    ("exclusiveMinimum", "above"),
    ("maximum", "maximum"),
    ("exclusiveMaximum", "below"),
    ("multipleOf", "multiple of"),
    ("minLength", "minLength"),
    ("maxLength", "maxLength"),
    ("minItems", "minItems"),
    ("maxItems", "maxItems"),
    ("minProperties", "minProperties"),
    ("maxProperties", "maxProperties"),
)
_STATING = frozenset({"default", "items", "uniqueItems", "pattern", *(keyword for keyword, _ in _BOUNDS)})
_LONGEST_PATTERN = 80
_LONGEST_DEFAULT = 50
# The ends of 32 and 64 bits say the format once more.
_ENDS_OF_FORMATS = frozenset({-(2**63), 2**63 - 1, 2**63, 2**64 - 1, -(2**31), 2**31 - 1, 2**32 - 1})


def note_of(schema: Any, limit: int) -> str:
    """The comment for a member of this schema in at most `limit` characters; limits are kept before prose."""
    if not limit or not isinstance(schema, Mapping):
        return ""
    facts = ""
    if not _STATING.isdisjoint(schema):
        facts = comment_text("; ".join(_facts(schema)), limit)
    prose = schema.get("description")
    said = prose if isinstance(prose, str) else ""
    if schema.get("deprecated") is True:
        said = f"@deprecated {said}".rstrip()
    room = limit - len(facts) - 1 if facts else limit
    said = comment_text(said, room) if said and room >= 8 else ""
    return f"{said} {facts}" if said and facts else said or facts


def _facts(schema: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(default := schema.get("default"), str | int | float):
        yield f"Default: {default!s}"[:_LONGEST_DEFAULT]
    yield from limits(schema)
    items = schema.get("items")
    if isinstance(items, Mapping) and not _STATING.isdisjoint(items):
        yield from (f"items {limit}" for limit in limits(items))


def limits(schema: Mapping[str, Any]) -> Iterator[str]:
    """The limits of a value itself."""
    for keyword, word in _BOUNDS:
        bound = schema.get(keyword)
        if isinstance(bound, int | float) and not isinstance(bound, bool) and bound not in _ENDS_OF_FORMATS:
            yield f"{word} {bound}"
    if schema.get("uniqueItems") is True:
        yield "unique"
    if isinstance(pattern := schema.get("pattern"), str) and len(pattern) <= _LONGEST_PATTERN:
        yield f"pattern {pattern}"
