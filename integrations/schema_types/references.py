"""References inside a schema that is closed over its `$defs`: where they lead, and which get no name.

A name costs a declaration and sends the reader elsewhere: what is as short as its name is written in its place. A
schema with a discriminator and no choices of its own is a base: it stands for the children that its mapping names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_MAX_CHAIN = 8
_SHORT_ENUM = 4
_SHORT_VALUES = 48
_NAMED = frozenset({
    "$ref", "allOf", "anyOf", "oneOf", "properties", "additionalProperties", "patternProperties", "prefixItems",
    "required",
})  # fmt: skip
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})


def resolve(root: Any, pointer: str) -> Any:
    """The schema at a same-document reference (RFC 6901 fragment); True (anything) where there is none."""
    if pointer in ("", "#"):
        return root
    if not pointer.startswith("#/"):
        return True
    here = root
    for part in pointer[2:].split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            return True
    return here


def written_out(root: Any, pointer: str) -> Any:
    """The schema behind a reference that is written in its place; None where it gets a name."""
    found = _followed(root, pointer)
    if isinstance(found, Mapping) and found.get("type") == "array" and not found.keys() & _NAMED:
        items = found.get("items", True)
        items = (
            _followed(root, str(items["$ref"])) if isinstance(items, Mapping) and "$ref" in items else items
        )
        return {**found, "items": items} if _is_short(items) else None
    return found if _is_short(found) else None


def _followed(root: Any, pointer: str) -> Any:
    """What a chain of nothing but references leads to."""
    for _ in range(_MAX_CHAIN):
        found = resolve(root, pointer)
        if not isinstance(found, Mapping) or found.keys() != {"$ref"}:
            return found
        pointer = str(found["$ref"])
    return {"$ref": pointer}


def _is_short(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return True
    if schema.keys() & _NAMED:
        return False
    values = schema.get("enum")
    if isinstance(values, list):
        return len(values) <= _SHORT_ENUM and sum(len(str(value)) + 3 for value in values) <= _SHORT_VALUES
    kinds = schema.get("type")
    return "items" not in schema and all(
        kind in _SCALARS for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind is not None
    )


def children_of(schema: Any) -> dict[str, Any] | None:
    """The choice that a base stands for; None for every other schema."""
    if not isinstance(schema, Mapping) or "oneOf" in schema or "anyOf" in schema:
        return None
    discriminator = schema.get("discriminator")
    mapping = discriminator.get("mapping") if isinstance(discriminator, Mapping) else None
    if not isinstance(mapping, Mapping) or not mapping:
        return None
    listed = [{"$ref": str(reference)} for reference in dict.fromkeys(mapping.values())]
    return {"oneOf": listed, "discriminator": discriminator}


@dataclass(frozen=True, slots=True)
class InlineReferences:
    """References in a type that has no declarations: the short ones written out, of the others only their kind."""

    root: Any

    def written_out(self, pointer: str) -> Any:
        return written_out(self.root, pointer)

    def name(self, pointer: str, is_part: bool) -> str:
        return "unknown"


@dataclass(frozen=True, slots=True)
class WrittenOutReferences:
    """Everything is written out: for types whose depth is bounded and small."""

    root: Any

    def written_out(self, pointer: str) -> Any:
        return _followed(self.root, pointer)

    def name(self, pointer: str, is_part: bool) -> str:
        return "unknown"
