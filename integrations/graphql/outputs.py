"""The type of a result, derived from what is selected.

An object that may be of several types and selects differently for them becomes `anyOf`, told apart by the
possible values of `__typename`, so that agents see a discriminated union.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from integrations.base import JsonObject
from integrations.graphql.nodes import InlineFragment, SelectionItem
from integrations.graphql.scalars import leaf_schema, or_null, with_description
from integrations.graphql.schema import GraphQlSchema, is_list, item_type, named_type, nullable

_MAX_LISTED_TYPES = 12
_MAX_DESCRIPTION = 160


@dataclass(slots=True)
class _Chosen:
    """One response key: its type where first selected, and everything selected below it."""

    type: str
    description: str
    nodes: list[SelectionItem] = field(default_factory=list)
    conditional: bool = False


def output_schema(schema: GraphQlSchema, kind: str, nodes: Sequence[SelectionItem]) -> JsonObject:
    """The `data` object of an operation of this kind that selects `nodes` at its root."""
    return _object(schema, schema.root(kind), nodes)


def _object(schema: GraphQlSchema, name: str, nodes: Sequence[SelectionItem]) -> JsonObject:
    """A composite type with a selection."""
    groups: dict[tuple[object, ...], tuple[dict[str, _Chosen], list[str]]] = {}
    for possible in schema.possible(name):
        chosen: dict[str, _Chosen] = {}
        for key, one in _choose(schema, nodes, name, possible, False):
            _merge(chosen, key, one)
        shape = tuple((k, c.type, tuple(c.nodes), c.conditional) for k, c in chosen.items())
        groups.setdefault(shape, (chosen, []))[1].append(possible)
    shapes = [_properties(schema, chosen, names) for chosen, names in groups.values()]
    if not shapes:
        return {"type": "object"}
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


def _choose(
    schema: GraphQlSchema, nodes: Sequence[SelectionItem], scope: str, possible: str, conditional: bool
) -> Iterator[tuple[str, _Chosen]]:
    """What is selected for an object of type `possible`. Fields are typed by the scope they are named in."""
    for node in nodes:
        if isinstance(node, InlineFragment):
            on = node.on or scope
            if possible in schema.possible(on):
                yield from _choose(schema, node.selections, on, possible, conditional or node.conditional)
        elif node.name == "__typename":
            yield node.key, _Chosen("__typename", "", conditional=conditional or node.conditional)
        else:
            found = schema.types[scope].fields[node.name]
            text = found.description.strip().split("\n", 1)[0][:_MAX_DESCRIPTION]
            yield node.key, _Chosen(found.type, text, list(node.selections), conditional or node.conditional)


def _merge(chosen: dict[str, _Chosen], key: str, one: _Chosen) -> None:
    """Selections of one key in several places are sent as one (section 6.3.2)."""
    first = chosen.setdefault(key, one)
    if first is one:
        return
    first.conditional = first.conditional and one.conditional
    if one.nodes:
        first.nodes.append(InlineFragment(named_type(one.type), tuple(one.nodes)))


def _properties(schema: GraphQlSchema, chosen: dict[str, _Chosen], names: list[str]) -> JsonObject:
    properties = {key: _value(schema, one, names) for key, one in chosen.items()}
    required = [key for key, one in chosen.items() if not one.conditional]
    out: JsonObject = {"type": "object", "properties": properties}
    return {**out, "required": required} if required else out


def _value(schema: GraphQlSchema, one: _Chosen, names: list[str]) -> JsonObject:
    if one.type == "__typename":
        return {"type": "string", "enum": names} if len(names) <= _MAX_LISTED_TYPES else {"type": "string"}
    return with_description(_reference(schema, one.type, one.nodes), one.description)


def _reference(schema: GraphQlSchema, reference: str, nodes: list[SelectionItem]) -> JsonObject:
    bare = nullable(reference)
    if is_list(bare):
        here: JsonObject = {"type": "array", "items": _reference(schema, item_type(bare), nodes)}
    elif schema.is_leaf(bare):
        here = leaf_schema(schema.types[bare])
    else:
        here = _object(schema, bare, nodes)
    return here if reference.endswith("!") else or_null(here)
