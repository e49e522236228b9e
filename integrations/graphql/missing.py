"""Types that SDL names and does not define: built all the same, and missing again in the introspection result.

graphql-core builds no schema that names an unknown type. So each one is built as a scalar, which fits wherever a type
stands but in `implements`, in a union and as a root; there the name is taken out. In the result the scalars are gone
and the names are back, so that `pruning` leaves out what needs them, as for a schema that came from a server.
Imports graphql-core.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from graphql.language import (
    DefinitionNode,
    DocumentNode,
    NamedTypeNode,
    NameNode,
    Node,
    OperationType,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    Visitor,
    visit,
)

from integrations.base import JsonObject
from integrations.graphql.schema import BUILT_IN

_UNNEEDED_ROOTS = {OperationType.MUTATION: "mutationType", OperationType.SUBSCRIPTION: "subscriptionType"}


@dataclass(slots=True)
class MissingTypes:
    """What was taken out of a document, to be put back into its introspection result."""

    scalars: list[str] = field(default_factory=list)
    empty_unions: dict[str, list[str]] = field(default_factory=dict)
    members: list[tuple[str, str, str]] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)

    def restore(self, schema: JsonObject) -> None:
        """`schema`: the value of `__schema`, changed in place."""
        schema["types"] = [one for one in schema["types"] if one["name"] not in self.scalars]
        types = {one["name"]: one for one in schema["types"]}
        for name, members in self.empty_unions.items():
            schema["types"].append({"kind": "UNION", "name": name, "possibleTypes": _named(members)})
        for name, key, member in self.members:
            types[name][key] = [*(types[name].get(key) or ()), *_named([member])]
        for key, name in self.roots.items():
            schema[key] = {"name": name}


def without_missing(document: DocumentNode) -> tuple[DocumentNode, MissingTypes]:
    """A document in which every name has a definition, but for the root of queries."""
    missing = MissingTypes()
    known = BUILT_IN | {one.name.value for one in document.definitions if isinstance(one, TypeDefinitionNode)}
    kept = _without_empty_unions(document.definitions, known, missing)
    defined = known - missing.empty_unions.keys()
    kept = [_without_members(one, defined, missing) for one in kept]
    names = _Names()
    visit(DocumentNode(definitions=tuple(kept)), names)
    missing.scalars = sorted(names.found - defined)
    added = [ScalarTypeDefinitionNode(name=NameNode(value=name), directives=()) for name in missing.scalars]
    return DocumentNode(definitions=(*kept, *added), loc=document.loc), missing


class _Names(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
        self.found.add(node.name.value)

    def enter_operation_type_definition(self, *_: object) -> bool:
        """A root is no scalar, so a missing one keeps its own error."""
        return False


def _without_empty_unions(
    definitions: Iterable[DefinitionNode], known: frozenset[str], missing: MissingTypes
) -> list[DefinitionNode]:
    kept: list[DefinitionNode] = []
    for one in definitions:
        members = [each.name.value for each in one.types] if isinstance(one, UnionTypeDefinitionNode) else []
        if isinstance(one, UnionTypeDefinitionNode) and members and known.isdisjoint(members):
            missing.empty_unions[one.name.value] = members
        else:
            kept.append(one)
    return kept


def _without_members(one: Any, defined: frozenset[str], missing: MissingTypes) -> Any:
    """Without unknown names in places where a scalar cannot stand."""
    if isinstance(one, SchemaDefinitionNode | SchemaExtensionNode):
        return _without_roots(one, defined, missing)
    for attribute, key in (("interfaces", "interfaces"), ("types", "possibleTypes")):
        listed: tuple[NamedTypeNode, ...] = tuple(getattr(one, attribute, None) or ())
        gone = [each for each in listed if each.name.value not in defined]
        if gone:
            one = _changed(one, attribute, [each for each in listed if each not in gone])
            missing.members += [(one.name.value, key, each.name.value) for each in gone]
    return one


def _without_roots(
    one: SchemaDefinitionNode | SchemaExtensionNode, defined: frozenset[str], missing: MissingTypes
) -> Any:
    gone = [
        each
        for each in one.operation_types
        if each.operation in _UNNEEDED_ROOTS and each.type.name.value not in defined
    ]
    missing.roots |= {_UNNEEDED_ROOTS[each.operation]: each.type.name.value for each in gone}
    return _changed(one, "operation_types", [each for each in one.operation_types if each not in gone])


def _changed(node: Any, attribute: str, value: Sequence[Node]) -> Any:
    out = copy(node)
    setattr(out, attribute, tuple(value))
    return out


def _named(names: Iterable[str]) -> list[JsonObject]:
    return [{"kind": "OBJECT", "name": name, "ofType": None} for name in names]
