"""A GraphQL schema in the form everything here works on: named tuples read from an introspection result.

Types are written as in the language (`[Issue!]!`), which is smaller than the nested objects of introspection
and as easy to take apart. Source: GraphQL specification, October 2021, section 4 (introspection).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from integrations.base import JsonObject, SourceError

LEAVES = frozenset({"SCALAR", "ENUM"})
ABSTRACT = frozenset({"INTERFACE", "UNION"})
BUILT_IN = frozenset({"Int", "Float", "String", "Boolean", "ID"})
_MAX_TYPES = 50_000


class InputValue(NamedTuple):
    """An argument of a field or directive, or a field of an input object.

    `default` is GraphQL text (`10`, `{field: NAME}`), None when there is none. `deprecated` is the reason.
    """

    name: str
    type: str
    description: str
    default: str | None
    deprecated: str | None

    @property
    def required(self) -> bool:
        return self.default is None and self.type.endswith("!")


class FieldDefinition(NamedTuple):
    """A field of an object or interface. `deprecated` is the reason, None when it is not deprecated."""

    name: str
    type: str
    description: str
    arguments: tuple[InputValue, ...]
    deprecated: str | None

    @property
    def needs_arguments(self) -> bool:
        return any(argument.required for argument in self.arguments)


class EnumValue(NamedTuple):
    """One name of an enum."""

    name: str
    description: str
    deprecated: str | None


class Type(NamedTuple):
    """A named type. `possible` are the object types of an interface or union; `interfaces` what an object or
    interface implements; `exclusive` marks input objects that take exactly one field (@oneOf).
    """

    kind: str
    name: str
    description: str
    fields: Mapping[str, FieldDefinition]
    inputs: Mapping[str, InputValue]
    values: tuple[EnumValue, ...]
    possible: tuple[str, ...]
    interfaces: tuple[str, ...]
    format_url: str | None
    exclusive: bool


class Directive(NamedTuple):
    """A directive that queries may use at the given locations."""

    name: str
    arguments: tuple[InputValue, ...]
    locations: frozenset[str]
    repeatable: bool


@dataclass(frozen=True, slots=True)
class GraphQlSchema:
    """`query` and `mutation` name the root types; "" when there is none. `roots` holds all root types."""

    types: Mapping[str, Type]
    query: str
    mutation: str
    roots: frozenset[str]
    directives: Mapping[str, Directive] = field(default_factory=dict)

    def named(self, reference: str) -> Type:
        """The named type inside `[Issue!]!`."""
        return self.types[named_type(reference)]

    def is_leaf(self, reference: str) -> bool:
        return self.named(reference).kind in LEAVES

    def possible(self, name: str) -> tuple[str, ...]:
        """Object types that a value of this composite type can have."""
        found = self.types[name]
        return found.possible if found.kind in ABSTRACT else (name,)

    def root(self, kind: str) -> str:
        return self.query if kind == "query" else self.mutation


def named_type(reference: str) -> str:
    return reference.strip("[]!")


def is_list(reference: str) -> bool:
    return reference.startswith("[")


def nullable(reference: str) -> str:
    """The type without its outermost `!`."""
    return reference.removesuffix("!")


def item_type(reference: str) -> str:
    """What a list type holds: `[Issue!]!` -> `Issue!`."""
    return nullable(reference)[1:-1]


def read_schema(introspection: JsonObject, name: str) -> GraphQlSchema:
    """From the value of `__schema`. Raises `SourceError` naming `name` when it is not one."""
    try:
        return _Reader(introspection).schema()
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"{name}: not a GraphQL introspection result ({error!r})") from None
    except ValueError as error:
        raise SourceError(f"{name}: not a usable GraphQL schema: {error}") from None


class _Reader:
    """One introspection result. Equal texts are kept once: a schema repeats few types many thousand times."""

    def __init__(self, introspection: JsonObject) -> None:
        self._raw = introspection
        self._texts: dict[str, str] = {}

    def schema(self) -> GraphQlSchema:
        raw = self._raw
        if len(raw["types"]) > _MAX_TYPES:
            raise ValueError(f"{len(raw['types'])} types are more than the {_MAX_TYPES} allowed")
        # Names with two underscores belong to introspection itself (section 4.1): nothing else refers to them.
        types = {one["name"]: self._type(one) for one in raw["types"] if not one["name"].startswith("__")}
        roots = [_name_of(raw.get(key)) for key in ("queryType", "mutationType", "subscriptionType")]
        directives = {one["name"]: self._directive(one) for one in raw.get("directives") or ()}
        schema = GraphQlSchema(types, roots[0], roots[1], frozenset(roots) - {""}, directives)
        _check_names(schema)
        return schema

    def _type(self, raw: JsonObject) -> Type:
        return Type(
            kind=raw["kind"],
            name=raw["name"],
            description=raw.get("description") or "",
            fields={one["name"]: self._field(one) for one in raw.get("fields") or ()},
            inputs={one["name"]: self._value(one) for one in raw.get("inputFields") or ()},
            values=tuple(map(_enum_value, raw.get("enumValues") or ())),
            possible=tuple(map(_name_of, raw.get("possibleTypes") or ())),
            interfaces=tuple(map(_name_of, raw.get("interfaces") or ())),
            format_url=raw.get("specifiedByURL"),
            exclusive=raw.get("isOneOf") is True,
        )

    def _field(self, raw: JsonObject) -> FieldDefinition:
        return FieldDefinition(
            self._once(raw["name"]),
            self._reference(raw["type"]),
            raw.get("description") or "",
            tuple(map(self._value, raw.get("args") or ())),
            _deprecation(raw),
        )

    def _value(self, raw: JsonObject) -> InputValue:
        return InputValue(
            self._once(raw["name"]),
            self._reference(raw["type"]),
            self._once(raw.get("description") or ""),
            raw.get("defaultValue"),
            _deprecation(raw),
        )

    def _directive(self, raw: JsonObject) -> Directive:
        return Directive(
            raw["name"],
            tuple(map(self._value, raw.get("args") or ())),
            frozenset(raw.get("locations") or ()),
            raw.get("isRepeatable") is True,
        )

    def _reference(self, raw: JsonObject) -> str:
        kind = raw["kind"]
        if kind == "NON_NULL":
            return self._once(self._reference(raw["ofType"]) + "!")
        if kind == "LIST":
            return self._once(f"[{self._reference(raw['ofType'])}]")
        name = raw["name"]
        if not isinstance(name, str):
            raise TypeError("a type without a name")
        return self._once(name)

    def _once(self, text: str) -> str:
        return self._texts.setdefault(text, text)


def _name_of(raw: Any) -> str:
    return str(raw["name"]) if raw else ""


def _deprecation(raw: JsonObject) -> str | None:
    if not raw.get("isDeprecated"):
        return None
    return raw.get("deprecationReason") or "No longer supported"


def _enum_value(raw: JsonObject) -> EnumValue:
    return EnumValue(raw["name"], raw.get("description") or "", _deprecation(raw))


def _check_names(schema: GraphQlSchema) -> None:
    """Every type that is named exists, and every name is one (section 2.1.9): names go into request text."""
    for name in _names_used(schema):
        if name not in schema.types:
            raise ValueError(f"the type `{name}` is used but not defined")
    for one in schema.types.values():
        for name in (one.name, *one.fields, *one.inputs, *(v.name for v in one.values)):
            if not is_name(name):
                raise ValueError(f"`{name}` is not a GraphQL name")
        for each in one.fields.values():
            for argument in each.arguments:
                if not is_name(argument.name):
                    raise ValueError(f"`{argument.name}` is not a GraphQL name")


def is_name(text: str) -> bool:
    """GraphQL names (section 2.1.9): ASCII letters, digits and `_`, no digit first."""
    return text.isascii() and text.isidentifier()


def _names_used(schema: GraphQlSchema) -> Iterable[str]:
    used = set(schema.roots)
    for one in schema.types.values():
        used.update(one.possible)
        used.update(named_type(value.type) for value in one.inputs.values())
        for each in one.fields.values():
            used.add(named_type(each.type))
            used.update(named_type(argument.type) for argument in each.arguments)
    return used
