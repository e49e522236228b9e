"""What a schema says of one place in a value: the keys that are known there, and whether a key has to be there.

For schemas that are closed over their own references. Pure and bounded: what is beyond the bounds is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from integrations.schema_types.references import resolve

_MOST_SCHEMAS = 400
_CHOICES = ("anyOf", "oneOf", "then", "else")


class _Applied(NamedTuple):
    """A schema that judges the value; `always`: whatever the value is, and not as one choice of several."""

    schema: Mapping[str, Any]
    always: bool


class Keys(NamedTuple):
    """Known keys of an object in the order of the schema, those that it needs, and those that a choice needs."""

    known: tuple[str, ...]
    required: frozenset[str]
    sometimes: frozenset[str]

    def may_be_left_out(self, name: str) -> bool:
        return name in self.known and name not in self.required and name not in self.sometimes


def keys_at(root: Any, path: Sequence[str | int]) -> Keys:
    """`path` leads from the value of `root` to an object in it."""
    here = list(_spread(root, [_Applied(root, True)] if isinstance(root, Mapping) else []))
    for step in path:
        here = list(_spread(root, (found for one in here for found in _inside(one, step))))
    known: dict[str, None] = {}
    needed: set[str] = set()
    sometimes: set[str] = set()
    for schema, always in here:
        known.update(dict.fromkeys(map(str, _mapping(schema.get("properties")))))
        required = schema.get("required")
        if isinstance(required, list):
            (needed if always else sometimes).update(one for one in required if isinstance(one, str))
    return Keys(tuple(known), frozenset(needed), frozenset(sometimes))


def _spread(root: Any, applied: Iterable[_Applied]) -> Iterator[_Applied]:
    """Everything that judges the same value: behind references, in `allOf`, and in choices."""
    pending, seen = list(applied), set[int]()
    while pending and len(seen) < _MOST_SCHEMAS:
        schema, always = one = pending.pop(0)
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        yield one
        pending[:0] = [
            _Applied(found, always and sure)
            for found, sure in _beside(root, schema)
            if isinstance(found, Mapping)
        ]


def _beside(root: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    if isinstance(reference := schema.get("$ref"), str):
        yield resolve(root, reference), True
    yield from ((one, True) for one in _list(schema.get("allOf")))
    for keyword in _CHOICES:
        choices = schema.get(keyword)
        yield from ((one, False) for one in _list(choices if isinstance(choices, list) else [choices]))
    for reference in _mapping(_mapping(schema.get("discriminator")).get("mapping")).values():
        yield resolve(root, str(reference)), False


def _inside(one: _Applied, step: str | int) -> Iterator[_Applied]:
    for found in _members(one.schema, step):
        if isinstance(found, Mapping):
            yield _Applied(found, one.always)


def _members(schema: Mapping[str, Any], step: str | int) -> Iterator[Any]:
    if isinstance(step, int):
        first = _list(schema.get("prefixItems"))
        yield first[step] if step < len(first) else schema.get("items")
        return
    properties = _mapping(schema.get("properties"))
    yield properties[step] if step in properties else schema.get("additionalProperties")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
