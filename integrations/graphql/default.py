"""The selection that is sent when the caller names none: useful, bounded, and valid by construction.

Rules
- Leaves first, preferred names before others, at most `fields` of an object, 12 of the object in a mutation's
  payload or of a member of a union, 8 of an object inside, and 120 in all.
- Up to 6 fields that hold objects, `depth` levels in all; connections as `nodes { ... } pageInfo { ... }`
  (edges only without nodes). A connection, or the payload of a mutation, is a wrapper and costs no level.
- Interfaces and unions: `__typename`, the common fields, and an inline fragment for each of at most 12 possible
  types (of an inner interface the common fields are enough). A response key whose type differs between members
  is dropped from the minority, because FieldsInSetCanMerge (section 5.3.2) forbids it.
- Never a field with a required argument, a deprecated one, a type that encloses it already (cycles), or a
  root type: root fields are tools of their own with policies of their own. Nothing left: `__typename`.
- Inner connections that can be bounded are (`first: 10`); at most two are taken, since they multiply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass

from integrations.graphql.nodes import TYPENAME, InlineFragment, SelectedField, SelectionItem
from integrations.graphql.schema import (
    ABSTRACT,
    FieldDefinition,
    GraphQlSchema,
    Type,
    is_list,
    named_type,
    nullable,
)

_INNER_LEAVES = 8
_MEMBER_LEAVES = 12
_OBJECTS = 6
_CONNECTIONS = 2
_MEMBERS = 12
_MAX_FIELDS = 120
_PAGE = "(first: 10)"
_PREFERRED = {
    name: rank
    for rank, name in enumerate(
        (
            "id", "key", "number", "iid", "name", "title", "login", "username", "slug", "email", "url", "state",
            "status", "type", "message", "code", "field", "path", "createdAt", "updatedAt", "description", "body",
            "errors", "userErrors", "owner", "author", "user", "repository", "project", "team", "assignee",
        )
    )
}  # fmt: skip
_PAGE_INFO = ("hasNextPage", "endCursor")
_WRAPPERS = ("Payload", "Result", "Response", "Output")


@dataclass(slots=True)
class _Budget:
    """How many more fields one operation may select."""

    left: int = _MAX_FIELDS

    def take(self, wanted: int) -> int:
        granted = max(0, min(wanted, self.left))
        self.left -= granted
        return granted


def default_selection(
    schema: GraphQlSchema, field: FieldDefinition, kind: str, depth: int, fields: int
) -> tuple[SelectionItem, ...]:
    """The selection for a root field of an operation of `kind`; empty for a leaf."""
    if schema.is_leaf(field.type):
        return ()
    chooser = _Chooser(schema, depth, fields)
    name = named_type(field.type)
    if kind == "mutation" and _is_payload(schema, schema.types[name]):
        return chooser.payload(name)
    return chooser.wrapped(name, 1, frozenset())


class _Chooser:
    """Chooses for one operation. `path` holds the types between the root and here; `level` counts from 1."""

    def __init__(self, schema: GraphQlSchema, depth: int, fields: int) -> None:
        self._schema = schema
        self._depth = depth
        self._fields = fields
        self._budget = _Budget()
        self._in_payload = False

    def payload(self, name: str) -> tuple[SelectionItem, ...]:
        """A mutation's payload: its leaves, and its objects one level in."""
        payload, path = self._schema.types[name], frozenset({name})
        out: list[SelectionItem] = list(self._leaves(payload, self._fields))
        self._in_payload = True
        for each in self._objects(payload, path):
            out += self._nested(each, 2, path)
        return tuple(out) or (TYPENAME,)

    def wrapped(
        self, name: str, level: int, path: frozenset[str], page: bool = True
    ) -> tuple[SelectionItem, ...]:
        """A composite type; of a connection, the type of its items."""
        items = _items_field(self._schema, self._schema.types[name])
        if items is None:
            return self._composite(name, level, path)
        inside = self._items(items, level, path | {name})
        total = self._schema.types[name].fields.get("totalCount")
        out: list[SelectionItem] = [SelectedField("totalCount")] if total and self._usable_leaf(total) else []
        out += inside
        if page:
            out += self._page_info(self._schema.types[name])
        return tuple(out) or (TYPENAME,)

    def _items(self, items: FieldDefinition, level: int, path: frozenset[str]) -> list[SelectionItem]:
        inner = named_type(items.type)
        if items.name == "nodes":
            return (
                [SelectedField("nodes", self._composite(inner, level, path))]
                if self._open(inner, path)
                else []
            )
        node = self._schema.types[inner].fields["node"]
        target = named_type(node.type)
        if not self._open(target, path):
            return []
        if self._schema.is_leaf(node.type):
            return [SelectedField("edges", (SelectedField("node"),))]
        return [
            SelectedField("edges", (SelectedField("node", self._composite(target, level, path | {inner})),))
        ]

    def _open(self, name: str, path: frozenset[str]) -> bool:
        return name not in path and name not in self._schema.roots

    def _page_info(self, connection: Type) -> list[SelectionItem]:
        info = connection.fields.get("pageInfo")
        if (
            info is None
            or info.needs_arguments
            or info.deprecated is not None
            or self._schema.is_leaf(info.type)
        ):
            return []
        there = self._schema.named(info.type).fields
        names = [name for name in _PAGE_INFO if name in there and self._usable_leaf(there[name])]
        return [SelectedField("pageInfo", tuple(map(SelectedField, names)))] if names else []

    def _composite(self, name: str, level: int, path: frozenset[str]) -> tuple[SelectionItem, ...]:
        here = self._schema.types[name]
        path = path | {name}
        out: list[SelectionItem] = []
        if here.kind in ABSTRACT:
            out.append(TYPENAME)
        out += self._leaves(here, self._cap(level))
        if level < self._depth:
            for each in self._objects(here, path):
                out += self._nested(each, level + 1, path)
        if here.kind == "UNION" or (here.kind == "INTERFACE" and level == 1):
            out += self._members(
                here, level, path, {node.key for node in out if isinstance(node, SelectedField)}
            )
        return tuple(out) or (TYPENAME,)

    def _cap(self, level: int) -> int:
        if self._in_payload:
            return _MEMBER_LEAVES
        return self._fields if level == 1 else _INNER_LEAVES

    def _leaves(self, here: Type, cap: int, taken: Set[str] = frozenset()) -> list[SelectedField]:
        names = sorted(
            (one.name for one in here.fields.values() if one.name not in taken and self._usable_leaf(one)),
            key=lambda name: (_PREFERRED.get(name, 99), name.endswith(("HTML", "Html"))),
        )
        return [SelectedField(name) for name in names[: self._budget.take(min(cap, len(names)))]]

    def _usable_leaf(self, field: FieldDefinition) -> bool:
        return _usable(field) and self._schema.is_leaf(field.type)

    def _objects(self, here: Type, path: frozenset[str]) -> list[FieldDefinition]:
        """Fields that hold objects, the most useful first: single ones, then lists, then connections."""
        found = [
            each
            for each in here.fields.values()
            if _usable(each)
            and not self._schema.is_leaf(each.type)
            and self._open(named_type(each.type), path)
        ]
        found.sort(
            key=lambda each: (self._is_connection(each), is_list(each.type), _PREFERRED.get(each.name, 99))
        )
        single = [each for each in found if not self._is_connection(each)]
        connections = [each for each in found if self._is_connection(each) and _page_of(each)]
        return (single + connections[:_CONNECTIONS])[:_OBJECTS]

    def _is_connection(self, field: FieldDefinition) -> bool:
        return _items_field(self._schema, self._schema.named(field.type)) is not None

    def _nested(self, field: FieldDefinition, level: int, path: frozenset[str]) -> list[SelectionItem]:
        if self._budget.left <= 0:
            return []
        inner = self.wrapped(named_type(field.type), level, path, page=level == 1)
        if inner == (TYPENAME,) and self._schema.named(field.type).kind not in ABSTRACT:
            return []
        return [SelectedField(field.name, inner, _page_of(field) if self._is_connection(field) else "")]

    def _members(self, here: Type, level: int, path: frozenset[str], taken: set[str]) -> list[SelectionItem]:
        """Inline fragments of the possible types, without the fields that are selected for all of them."""
        if len(here.possible) > _MEMBERS:
            return []
        share = max(3, self._budget.left // max(1, len(here.possible)))
        chosen = {name: self._member(name, level, path, taken, share) for name in here.possible}
        kept = _mergeable(self._schema, chosen)
        return [InlineFragment(name, tuple(nodes)) for name, nodes in kept.items() if nodes]

    def _member(
        self, name: str, level: int, path: frozenset[str], taken: set[str], share: int
    ) -> list[SelectedField]:
        member = self._schema.types[name]
        if not self._open(name, path):
            return []
        cap = min(share, _MEMBER_LEAVES if level == 1 else _INNER_LEAVES // 2)
        return self._leaves(member, cap, taken)


def _mergeable(
    schema: GraphQlSchema, chosen: dict[str, list[SelectedField]]
) -> dict[str, list[SelectedField]]:
    """The type that most members give to each response key; the key is dropped from the other members."""
    votes: dict[str, Counter[str]] = {}
    for name, nodes in chosen.items():
        for node in nodes:
            votes.setdefault(node.key, Counter())[schema.types[name].fields[node.name].type] += 1
    winners = {key: counter.most_common(1)[0][0] for key, counter in votes.items()}
    return {
        name: [node for node in nodes if schema.types[name].fields[node.name].type == winners[node.key]]
        for name, nodes in chosen.items()
    }


def _usable(field: FieldDefinition) -> bool:
    return field.deprecated is None and not field.needs_arguments


def _page_of(field: FieldDefinition) -> str:
    """How an inner connection is bounded; "" when it takes no such argument."""
    return _PAGE if any(a.name == "first" and nullable(a.type) == "Int" for a in field.arguments) else ""


def _is_payload(schema: GraphQlSchema, found: Type) -> bool:
    """Does it only wrap a mutation's result? By its name, or with at most four leaves and something else."""
    if found.kind != "OBJECT" or _items_field(schema, found) is not None:
        return False
    leaves = sum(schema.is_leaf(each.type) for each in found.fields.values())
    return found.name.endswith(_WRAPPERS) or (leaves <= 4 and leaves < len(found.fields))


def _items_field(schema: GraphQlSchema, found: Type) -> FieldDefinition | None:
    """`nodes`, else `edges` with a `node`: what makes a type a connection (Relay's Cursor Connections)."""
    if "pageInfo" not in found.fields and not found.name.endswith("Connection"):
        return None
    nodes = found.fields.get("nodes")
    if nodes and _usable(nodes) and is_list(nodes.type) and not schema.is_leaf(nodes.type):
        return nodes
    edges = found.fields.get("edges")
    if edges and _usable(edges) and is_list(edges.type) and schema.named(edges.type).kind == "OBJECT":
        node = schema.named(edges.type).fields.get("node")
        return edges if node and _usable(node) else None
    return None
