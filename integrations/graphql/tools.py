"""Root fields and named operations as tools: names, titles, risks, search keywords.

Names are `query.<field>` and `mutation.<field>`; a named operation stands in the same two groups under its own
name, so that policies on `*.mutation.*` hold for it too. Where names collide, each gets a hash of what it stands for
(`integrations.naming`). Subscriptions are no tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from integrations.base import ToolDefinition
from integrations.graphql.operations import NamedOperation, OperationKind
from integrations.graphql.schema import FieldDefinition, GraphQlSchema, InputValue, named_type
from integrations.naming import split_words, unique_names

_KINDS: tuple[OperationKind, ...] = get_args(OperationKind)
_MAX_TEXT = 2_000
_MAX_KEYWORDS = 40


@dataclass(frozen=True, slots=True)
class GraphQlTool:
    """One tool: a root field, or a named operation."""

    definition: ToolDefinition
    kind: OperationKind
    field: FieldDefinition | None
    operation: NamedOperation | None

    @property
    def arguments(self) -> tuple[InputValue, ...]:
        if self.operation is not None:
            return self.operation.variables
        assert self.field is not None
        return self.field.arguments


def list_entries(schema: GraphQlSchema, operations: Sequence[NamedOperation]) -> list[GraphQlTool]:
    """Fields in schema order, queries first, then the named operations."""
    fields: list[tuple[OperationKind, FieldDefinition]] = [
        (kind, each) for kind in _KINDS if schema.root(kind) for each in _root_fields(schema, kind)
    ]
    wanted = [f"{kind}.{each.name}" for kind, each in fields]
    wanted += [f"{one.kind}.{one.name}" for one in operations]
    origins = [_origin(kind, "field", each.name) for kind, each in fields]
    origins += [_origin(one.kind, "operation", one.name) for one in operations]
    names = iter(unique_names(wanted, origins))
    out = [_of_field(schema, next(names), kind, each) for kind, each in fields]
    return out + [_of_operation(next(names), one) for one in operations]


def _origin(kind: OperationKind, what: str, name: str) -> str:
    return f"{kind} {what} {name}"


def _root_fields(schema: GraphQlSchema, kind: OperationKind) -> Iterator[FieldDefinition]:
    yield from schema.types[schema.root(kind)].fields.values()


def _of_field(schema: GraphQlSchema, name: str, kind: OperationKind, field: FieldDefinition) -> GraphQlTool:
    text = field.description.strip()
    if field.deprecated is not None:
        text = f"{text}\nDeprecated: {field.deprecated}".strip()
    definition = ToolDefinition(
        name=name,
        title=_title(field.description, field.name),
        description=text[:_MAX_TEXT],
        risk="read" if kind == "query" else "write",
        idempotent=kind == "query",
        deprecated=field.deprecated is not None,
        keywords=" ".join(dict.fromkeys(_keywords(schema, field))),
        origin=_origin(kind, "field", field.name),
    )
    return GraphQlTool(definition, kind, field, None)


def _of_operation(name: str, operation: NamedOperation) -> GraphQlTool:
    definition = ToolDefinition(
        name=name,
        title=_title(operation.description, operation.name),
        description=operation.description[:_MAX_TEXT],
        risk="read" if operation.kind == "query" else "write",
        idempotent=operation.kind == "query",
        keywords=" ".join((*operation.fields, *(value.name for value in operation.variables))),
        origin=_origin(operation.kind, "operation", operation.name),
    )
    return GraphQlTool(definition, operation.kind, None, operation)


def _title(description: str, name: str) -> str:
    """The first line of the description, else the words of the name."""
    line = description.strip().split("\n", 1)[0].strip()
    return line[:120] or " ".join(split_words(name)).capitalize() or name


def _keywords(schema: GraphQlSchema, field: FieldDefinition) -> list[str]:
    """Names of arguments and of the fields of input objects, and the type that comes back."""
    words = [named_type(field.type), *(argument.name for argument in field.arguments)]
    for argument in field.arguments:
        words += schema.named(argument.type).inputs
    return words[:_MAX_KEYWORDS]
