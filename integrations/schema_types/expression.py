"""Expression: one JSON Schema as one TypeScript type expression.

Rules, by keyword of JSON Schema 2020-12: `true`/`{}` unknown, `false` never; `type` (a list is a union),
`const` and `enum` literals; `properties` with `required`, `additionalProperties` and `patternProperties` as
`Record`, an open object without properties `Record<string, unknown>`; `items` and `prefixItems`; `allOf` an
intersection, `anyOf`/`oneOf` a union; OpenAPI 3.0's `nullable` adds null. A keyword that says nothing about
the type (`not`, `if`, limits) is ignored, so a type may be wider than the schema and is never narrower.
References are left to a `TypeReferences`, so cycles end there. Integers of 64 bits may arrive as bigint. Choices that a
discriminator or a media type tells apart have its value as a comment.

A renderer has an allowance of bytes. Running out raises `OverBudget`: the caller tries again with a coarser
`Detail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from integrations.schema_types.literal import literal_type
from integrations.schema_types.notes import note_of
from integrations.schema_types.text import comment_text, is_plain_name, property_name

_SIMPLE = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
_LONG_INTEGERS = frozenset({"int64", "uint64", "long", "biginteger"})
# What says no more than `number` does.
_PLAIN_NUMBERS = frozenset(
    {"int32", "int", "integer", "uint32", "int16", "uint16", "int8", "uint8", "float", "double"}
)
_LONGEST_TAG = 100
_OBJECT_KEYWORDS = ("properties", "additionalProperties", "patternProperties", "required")
_TYPE_KEYWORDS = frozenset(
    {
        "type",
        "const",
        "enum",
        "allOf",
        "anyOf",
        "oneOf",
        "items",
        "prefixItems",
        "properties",
        "additionalProperties",
    }
    | {"patternProperties", "nullable"}
)
_SHAPING = _TYPE_KEYWORDS - {"nullable"}
# An object that may have no members at all.
_NOTHING = "{}"
_ANY_OBJECT = "Record<string, unknown>"
_COMBINED = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
# No schema is followed deeper than this in one expression, whatever the budget: it bounds recursion.
MAX_DEPTH = 24


class OverBudget(Exception):
    """The expression does not fit."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How much to say: nesting levels, members per object or union, and characters of description per member."""

    depth: int
    members: int
    comment: int
    enums: int
    one_line: bool = False


@dataclass(frozen=True, slots=True)
class _At:
    """Where rendering is: levels left, the indentation of what starts here, and whether it is a part of `allOf`."""

    depth: int
    indent: str
    is_part: bool = False

    def deeper(self) -> _At:
        return _At(self.depth - 1, self.indent + "  ")


class TypeReferences(Protocol):
    """What a `$ref` stands for in the type text."""

    def written_out(self, pointer: str) -> Any:
        """The schema that is shown in place of the reference, None where the reference gets a name."""
        ...

    def name(self, pointer: str, is_part: bool) -> str:
        """The type text; `is_part`: as a part of `allOf`, where a base is only itself and not one of its children."""
        ...


class Expression:
    """Renders schemas of one document."""

    def __init__(self, detail: Detail, allowance: int, references: TypeReferences) -> None:
        self._detail = detail
        self._left = allowance
        self._references = references

    def render(self, schema: Any) -> str:
        """The type expression. Raises `OverBudget`."""
        return self._type(schema, _At(min(self._detail.depth, MAX_DEPTH), ""))

    def _spend(self, text: str) -> str:
        self._left -= len(text) if text.isascii() else len(text.encode("utf-8"))
        if self._left < 0:
            raise OverBudget
        return text

    def _type(self, schema: Any, at: _At) -> str:
        if schema is False:
            return self._spend("never")
        if not isinstance(schema, Mapping):
            return self._spend("unknown")
        written = self._written_out(schema)
        if not isinstance(written, Mapping) or (written is not schema and at.depth < 0 and _is_deep(written)):
            return self._spend("never" if written is False else "unknown")
        schema = written
        parts = [part for part in self._parts(schema, at) if part != "unknown"]
        if len(parts) > 1:  # beside another part, any object adds nothing
            parts = [part for part in parts if part != _ANY_OBJECT] or parts[:1]
        text = _joined(parts, " & ") if parts else self._spend("unknown")
        if schema.get("nullable") is True and text != "unknown" and not _admits_null(text):
            text += self._spend(" | null")
        return text

    def _written_out(self, schema: Any) -> Any:
        """A reference to something small becomes that; what stands beside it stays (its description is nearer)."""
        if type(schema) is dict and "$ref" not in schema:
            return schema
        if not isinstance(schema, Mapping) or not isinstance(reference := schema.get("$ref"), str):
            return schema
        if not _SHAPING.isdisjoint(schema):
            return schema
        found = self._references.written_out(reference)
        if found is None or not isinstance(found, Mapping):
            return schema if found is None else found
        return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}

    def _parts(self, schema: Mapping[str, Any], at: _At) -> list[str]:
        """What a value must be all of."""
        parts: list[str] = []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._spend(self._references.name(reference, at.is_part)))
            if not (schema.keys() & _TYPE_KEYWORDS):
                return parts
        parts.append(self._own(schema, at))
        if not ("allOf" in schema or "anyOf" in schema or "oneOf" in schema):
            return parts
        parts += [self._folded(each, at, is_part=True) for each in _sequence(schema.get("allOf"))]
        choices = [_sequence(schema.get(keyword)) for keyword in ("anyOf", "oneOf")]
        tags = _tags(schema.get("discriminator"))
        parts += [self._union(each, at, tags) for each in choices if each]
        return list(dict.fromkeys(parts))

    def _folded(self, schema: Any, at: _At, *, is_part: bool = False) -> str:
        """A sub-schema, or `unknown /* ... */` where the depth is used up."""
        if at.depth <= 0 and _is_deep(schema):
            return self._spend("unknown /* ... */")
        return self._type(schema, replace(at, depth=at.depth - 1, is_part=is_part))

    def _union(self, choices: list[Any], at: _At, tags: Mapping[str, str]) -> str:
        if len(choices) > self._detail.members:
            return self._spend("unknown")
        return _joined([self._choice(choice, at, tags) for choice in choices], " | ")

    def _choice(self, choice: Any, at: _At, tags: Mapping[str, str]) -> str:
        text = self._folded(choice, at)
        known = choice if isinstance(choice, Mapping) else {}
        tag = tags.get(str(known.get("$ref"))) or known.get("$comment")
        if not isinstance(tag, str) or self._detail.one_line:
            return text
        return f"{text}{self._spend(f' /* {comment_text(tag, _LONGEST_TAG)} */')}"

    def _own(self, schema: Mapping[str, Any], at: _At) -> str:
        """What the schema says itself, without references and combinations."""
        if "const" in schema:
            return self._spend(literal_type([schema["const"]], 1))
        if isinstance(values := schema.get("enum"), list):
            return self._spend(literal_type(values, self._detail.enums))
        kinds = schema.get("type")
        names = (
            kinds if isinstance(kinds, list) else [kinds or _implied(schema) or _required_of_parts(schema)]
        )
        return _joined([self._named(name, schema, at) for name in names] or ["unknown"], " | ")

    def _named(self, name: Any, schema: Mapping[str, Any], at: _At) -> str:
        if name == "object":
            return self._object(schema, at)
        if name == "array":
            return self._array(schema, at)
        plain = _SIMPLE.get(name, "unknown") if isinstance(name, str) else "unknown"
        shape = schema.get("format")
        if not isinstance(shape, str) or plain not in ("string", "number"):
            return self._spend(plain)
        if name == "integer" and shape in _LONG_INTEGERS and not self._detail.one_line:
            return self._spend("number | bigint")
        if self._detail.comment and shape not in _PLAIN_NUMBERS:
            return self._spend(f"{plain} /* {comment_text(shape, 24)} */")
        return self._spend(plain)

    def _array(self, schema: Mapping[str, Any], at: _At) -> str:
        firsts = _sequence(schema.get("prefixItems"))
        items = schema.get("items", True)
        if not firsts:
            item = self._folded(items, at) if items is not True else self._spend("unknown")
            self._spend("Array<>")
            return f"Array<{item}>" if _needs_brackets(item) else f"{item}[]"
        optional_from = schema.get("minItems", len(firsts))
        parts = [_parenthesised(self._folded(each, at)) for each in firsts[: self._detail.members]]
        if isinstance(optional_from, int):
            parts = [part + "?" if n >= optional_from else part for n, part in enumerate(parts)]
        if items is not False or len(firsts) > len(parts):
            parts.append("..." + self._spend("unknown[]"))
        self._spend(", " * len(parts))
        return "[" + ", ".join(parts) + "]"

    def _object(self, schema: Mapping[str, Any], at: _At) -> str:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = {name for name in _sequence(schema.get("required")) if isinstance(name, str)}
        undeclared = (
            sorted(required - properties.keys()) if schema.get("additionalProperties") is not False else []
        )
        if not properties and not undeclared:
            return self._map(schema, at) or self._spend(_ANY_OBJECT)
        if at.depth <= 0:
            return self._spend(f"{_ANY_OBJECT} /* ... */")
        members = dict(properties) | dict.fromkeys(undeclared, True)
        body = self._members(members, required, at)
        rest = self._map(schema, at)
        return f"{body} & {rest}" if rest and rest != _NOTHING else body

    def _map(self, schema: Mapping[str, Any], at: _At) -> str:
        """What undeclared members look like; empty where the schema leaves them open."""
        additional = schema.get("additionalProperties")
        patterns = schema.get("patternProperties")
        values = list(patterns.values()) if isinstance(patterns, Mapping) else []
        if additional is False and not values:
            return self._spend(_NOTHING)
        if isinstance(additional, Mapping) and additional:
            values.append(additional)
        elif additional is not False:
            values = []
        return self._spend("Record<string, ") + self._union(values, at, {}) + ">" if values else ""

    def _members(self, members: Mapping[str, Any], required: set[str], at: _At) -> str:
        """Required members first where some must be left out; source order otherwise.

        On one line, which is what models read unasked, a name that is no short identifier could be a
        sentence: such members are only counted.
        """
        limit = self._detail.members
        names = [name for name in members if not self._detail.one_line or is_plain_name(name)]
        if len(names) > limit:
            names = sorted(names, key=lambda name: name not in required)[:limit]
        inner = at.deeper()
        separator = " " if self._detail.one_line else "\n" + inner.indent
        end = " " if self._detail.one_line else "\n" + at.indent
        lines = [self._member(name, members[name], name in required, inner, separator) for name in names]
        if left := len(members) - len(names):
            lines.append(self._spend(f"{separator}[name: string]: unknown; /* {left} more */"))
        return self._spend("{") + "".join(lines) + self._spend(end + "}")

    def _member(self, name: str, schema: Any, required: bool, at: _At, separator: str) -> str:
        head = separator
        schema = self._written_out(schema)
        if note := note_of(schema, self._detail.comment):
            head += f"/** {note} */{separator}"
        self._spend(head)
        declared = self._spend(property_name(name) + ("" if required else "?") + ": ")
        return head + declared + self._type(schema, at) + self._spend(";")


def _implied(schema: Mapping[str, Any]) -> str:
    """The type a schema without `type` is about."""
    if any(keyword in schema for keyword in _OBJECT_KEYWORDS[:3]):
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else ""


def _required_of_parts(schema: Mapping[str, Any]) -> str:
    """`required` beside `allOf` and its like is about what the parts declare, whose members would look optional."""
    return "object" if "required" in schema and not schema.keys().isdisjoint(_COMBINED) else ""


def _tags(discriminator: Any) -> dict[str, str]:
    """By reference: the values of the discriminator that stand for it."""
    known = discriminator if isinstance(discriminator, Mapping) else {}
    mapping = known.get("mapping")
    values: dict[str, list[str]] = {}
    for value, reference in mapping.items() if isinstance(mapping, Mapping) else ():
        values.setdefault(str(reference), []).append(f'"{value}"')
    return {one: f"{known.get('propertyName')}: {' | '.join(named)}" for one, named in values.items()}


def _is_deep(schema: Any) -> bool:
    return isinstance(schema, Mapping) and bool(
        schema.keys()
        & {"properties", "items", "prefixItems", "allOf", "anyOf", "oneOf", "additionalProperties"}
    )


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(parts: list[str], operator: str) -> str:
    """A union or intersection: no duplicates, nothing that `unknown` makes pointless, brackets where they matter."""
    unique = list(dict.fromkeys(parts))
    if operator == " | " and "unknown" in unique:
        return "unknown"
    if len(unique) == 1:
        return unique[0]
    return operator.join(_parenthesised(part) if operator == " & " else part for part in unique)


def _needs_brackets(text: str) -> bool:
    return not text.replace("_", "a").replace("$", "a").isalnum()


def _parenthesised(text: str) -> str:
    return f"({text})" if " | " in text or " & " in text or "/*" in text else text


def _admits_null(text: str) -> bool:
    return text == "null" or text.endswith(" | null")
