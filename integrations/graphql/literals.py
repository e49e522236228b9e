"""Values written in GraphQL text against their types (section 5.6, values of correct type)."""

from __future__ import annotations

from collections.abc import Iterator

from graphql.language import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    Node,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from integrations.graphql.schema import BUILT_IN, GraphQlSchema, Type, is_list, item_type, nullable

_SCALARS: dict[str, tuple[type[ValueNode], ...]] = {
    "Int": (IntValueNode,),
    "Float": (IntValueNode, FloatValueNode),
    "String": (StringValueNode,),
    "Boolean": (BooleanValueNode,),
    "ID": (StringValueNode, IntValueNode),
}
assert _SCALARS.keys() == BUILT_IN


def literal_problems(schema: GraphQlSchema, reference: str, node: ValueNode) -> Iterator[tuple[Node, str]]:
    """Each place that does not fit, and why. Recursion is bounded by the parser's token limit."""
    if isinstance(node, VariableNode):
        yield (
            node,
            f"variables such as `${node.name.value}` have no value in `select`: write the value itself",
        )
    elif isinstance(node, NullValueNode):
        if reference.endswith("!"):
            yield node, f"null does not fit {reference}"
    elif is_list(bare := nullable(reference)):
        for item in node.values if isinstance(node, ListValueNode) else (node,):
            yield from literal_problems(schema, item_type(bare), item)
    else:
        yield from _named(schema, schema.types[bare], node)


def _named(schema: GraphQlSchema, found: Type, node: ValueNode) -> Iterator[tuple[Node, str]]:
    if found.kind == "INPUT_OBJECT":
        yield from _input_object(schema, found, node)
    elif found.kind == "ENUM":
        names = [value.name for value in found.values]
        if not isinstance(node, EnumValueNode) or node.value not in names:
            yield node, f"has to be one of {', '.join(names[:20])} (without quotes)"
    elif found.name in _SCALARS:
        if not isinstance(node, _SCALARS[found.name]) or not _in_range(found.name, node):
            yield node, f"has to be {found.name}"
    else:
        yield from _variables(node)


def _in_range(name: str, node: ValueNode) -> bool:
    """Int is 32 bits wide (section 3.5.1); the digits are compared as text first, since they may be many."""
    if name != "Int" or not isinstance(node, IntValueNode):
        return True
    return len(node.value) <= 11 and -(2**31) <= int(node.value) < 2**31


def _input_object(schema: GraphQlSchema, found: Type, node: ValueNode) -> Iterator[tuple[Node, str]]:
    if not isinstance(node, ObjectValueNode):
        yield node, f"has to be an object ({found.name})"
        return
    seen: set[str] = set()
    for member in node.fields:
        name = member.name.value
        if name not in found.inputs:
            yield member, f"{found.name} has no field `{name}`"
        elif name in seen:
            yield member, f"field `{name}` is given twice"
        else:
            yield from literal_problems(schema, found.inputs[name].type, member.value)
        seen.add(name)
    missing = [value.name for value in found.inputs.values() if value.required and value.name not in seen]
    if missing:
        yield node, f"{found.name} needs {', '.join(missing)}"
    if found.exclusive and (len(node.fields) != 1 or isinstance(node.fields[0].value, NullValueNode)):
        yield node, f"{found.name} takes exactly one of its fields, and not null"


def _variables(node: ValueNode) -> Iterator[tuple[Node, str]]:
    """A custom scalar takes any literal, but no variable anywhere in it."""
    if isinstance(node, VariableNode):
        yield (
            node,
            f"variables such as `${node.name.value}` have no value in `select`: write the value itself",
        )
    elif isinstance(node, ListValueNode):
        for item in node.values:
            yield from _variables(item)
    elif isinstance(node, ObjectValueNode):
        for member in node.fields:
            yield from _variables(member.value)
