"""FieldsInSetCanMerge (section 5.3.2): may fields with one response key stand in one selection set?

Fields of equal parents, or of a parent that is no object, must be the same field with the same arguments;
fields of different object types only need results of the same shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from graphql.language import FieldNode, InlineFragmentNode, NamedTypeNode, SelectionSetNode, print_ast

from integrations.graphql.schema import LEAVES, GraphQlSchema, named_type


class _Found(NamedTuple):
    """A field as it stands in the text. `type` is its declared type, "String!" for `__typename`."""

    parent: str
    node: FieldNode
    type: str

    @property
    def same(self) -> str:
        arguments = sorted(print_ast(argument) for argument in self.node.arguments)
        return f"{self.node.name.value}({', '.join(arguments)})"


def conflicts(
    schema: GraphQlSchema, selections: SelectionSetNode, parent: str
) -> Iterator[tuple[FieldNode, str]]:
    """Each field that conflicts with an earlier one of the same key, and why. Types have been checked."""
    yield from _conflicts(schema, [(selections, parent)], shape_only=False)


def _conflicts(
    schema: GraphQlSchema, sets: Sequence[tuple[SelectionSetNode, str]], shape_only: bool
) -> Iterator[tuple[FieldNode, str]]:
    keys: dict[str, list[_Found]] = {}
    for selections, parent in sets:
        for found in _fields(schema, selections, parent):
            keys.setdefault((found.node.alias or found.node.name).value, []).append(found)
    for key, fields in keys.items():
        yield from _of_key(schema, key, fields, shape_only)


def _of_key(
    schema: GraphQlSchema, key: str, fields: list[_Found], shape_only: bool
) -> Iterator[tuple[FieldNode, str]]:
    first = fields[0]
    for other in fields[1:]:
        if _shape(schema, other.type) != _shape(schema, first.type):
            why = f"`{key}` is {first.type} in one place and {other.type} here: give one an alias"
            yield other.node, why
            return
    groups = [fields] if shape_only else _groups(schema, fields)
    if not shape_only:
        for group in groups:
            for other in group[1:]:
                if other.same != group[0].same:
                    yield (
                        other.node,
                        f"`{key}` is {group[0].same} in one place and {other.same} here: give one an alias",
                    )
                    return
    for group in groups:
        yield from _conflicts(schema, _inner(group), shape_only)
    if len(groups) > 1:
        yield from _conflicts(schema, _inner(fields), shape_only=True)


def _groups(schema: GraphQlSchema, fields: list[_Found]) -> list[list[_Found]]:
    """Fields that may apply to one object: those of one object type, with all fields of abstract parents."""
    anywhere = [one for one in fields if schema.types[one.parent].kind != "OBJECT"]
    parents = dict.fromkeys(one.parent for one in fields if schema.types[one.parent].kind == "OBJECT")
    return [[one for one in fields if one.parent == name] + anywhere for name in parents] or [anywhere]


def _inner(fields: list[_Found]) -> list[tuple[SelectionSetNode, str]]:
    return [(one.node.selection_set, named_type(one.type)) for one in fields if one.node.selection_set]


def _shape(schema: GraphQlSchema, reference: str) -> str:
    """Lists and nulls exactly, leaves by name; all composite types have one shape (SameResponseShape)."""
    name = named_type(reference)
    return reference if schema.types[name].kind in LEAVES else reference.replace(name, "{}")


def condition_of(node: InlineFragmentNode) -> str:
    """The type condition, "" for none (graphql-core declares it as always there)."""
    named = cast("NamedTypeNode | None", node.type_condition)
    return named.name.value if named is not None else ""


def _fields(schema: GraphQlSchema, selections: SelectionSetNode, parent: str) -> Iterator[_Found]:
    for node in selections.selections:
        if isinstance(node, InlineFragmentNode):
            yield from _fields(schema, node.selection_set, condition_of(node) or parent)
        elif isinstance(node, FieldNode):
            name = node.name.value
            declared = "String!" if name == "__typename" else schema.types[parent].fields[name].type
            yield _Found(parent, node, declared)
