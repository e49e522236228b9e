"""The children of a schema with a discriminator that lists none: the schemas whose `allOf` refers to it, by their names
(Swagger 2.0, and OpenAPI where there is no `mapping`), or by the value that Azure's documents give them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from integrations.base import JsonObject
from integrations.openapi.pointer import mapping, split_fragment

_VALUE = "x-ms-discriminator-value"
_MAX_GENERATIONS = 16


def descendants(schemas: Iterable[tuple[str, JsonObject]]) -> dict[str, dict[str, str]]:
    """By reference of a base: the value of the discriminator and the reference, for each child, grandchild and so on.

    `schemas`: references and schemas of at least those components that have an `allOf`.
    """
    parents: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    for reference, schema in schemas:
        parents[reference] = _parents(schema)
        values[reference] = _value_of(reference, schema)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for reference, value in values.items():
        for ancestor in _ancestors(reference, parents):
            found[ancestor][value] = reference
    return found


def _parents(schema: JsonObject) -> list[str]:
    parts = schema.get("allOf")
    found = [mapping(part).get("$ref") for part in (parts if isinstance(parts, list) else ())]
    return [one for one in found if isinstance(one, str)]


def _ancestors(reference: str, parents: dict[str, list[str]]) -> list[str]:
    """Nearest first, each once."""
    found: dict[str, None] = {}
    generation = [reference]
    for _ in range(_MAX_GENERATIONS):
        generation = [one for child in generation for one in parents.get(child, ()) if one not in found]
        found.update(dict.fromkeys(generation))
    found.pop(reference, None)
    return list(found)


def _value_of(reference: str, schema: JsonObject) -> str:
    given: Any = schema.get(_VALUE)
    return given if isinstance(given, str) and given else split_fragment(reference[1:])[-1]
