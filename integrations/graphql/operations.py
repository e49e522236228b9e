"""Named operations: documents in git that become tools of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations.base import JsonObject
from integrations.graphql.schema import InputValue

OperationKind = Literal["query", "mutation"]


@dataclass(frozen=True, slots=True)
class NamedOperation:
    """`text` is the operation with the fragments it uses, and nothing else. `fields` are its root fields."""

    name: str
    kind: OperationKind
    text: str
    description: str
    variables: tuple[InputValue, ...]
    fields: tuple[str, ...]


def operation_json(operation: NamedOperation) -> JsonObject:
    return {
        "name": operation.name,
        "kind": operation.kind,
        "text": operation.text,
        "description": operation.description,
        "variables": [list(value) for value in operation.variables],
        "fields": list(operation.fields),
    }


def operation_from(raw: JsonObject) -> NamedOperation:
    return NamedOperation(
        raw["name"],
        raw["kind"],
        raw["text"],
        raw["description"],
        tuple(InputValue(*one) for one in raw["variables"]),
        tuple(raw["fields"]),
    )
