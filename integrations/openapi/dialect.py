"""OpenAPI's schema dialects to JSON Schema 2020-12, with every reference turned into `#/$defs/<name>`.

2.0 and 3.0: boolean exclusiveMinimum becomes a number, and what stands beside `$ref` is ignored, but for `nullable`.
`nullable` becomes a null type in every version: 3.1 is 2020-12 already, and its documents still write it. `readOnly`
properties leave requests (and `required`, wherever it stands), `writeOnly` ones responses; `x-readOnly` names them.
Unknown keywords, and known ones with values that no validator accepts, are dropped: real documents hold many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from threading import RLock
from typing import Any, Literal

from integrations.base import JsonObject
from integrations.http.toolfile import TOOL_FILE
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import BRANCHES, mapping, split_fragment

Direction = Literal["request", "response"]
_NUMBERS = frozenset({
    "minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
    "maxProperties", "minContains", "maxContains", "exclusiveMinimum", "exclusiveMaximum",
})  # fmt: skip
_PLAIN = frozenset({"default", "const", "uniqueItems", "deprecated", "dependentRequired"})
_TEXTS = frozenset({"title", "description", "format", "contentMediaType", "contentEncoding"})
_ONE = frozenset({
    "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "contentSchema",
})  # fmt: skip
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"patternProperties", "dependentSchemas"})
_MAX_PATTERN = 4_096
_MAX_PARTS = 8
HIDDEN = "x-readOnly"
"""The keyword that names the properties which a request leaves out."""
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Definitions(Mapping[str, Any]):
    """What converted schemas refer to, converted when it is looked up: one call needs little of a large closure.

    A name is known once a schema that refers to it was converted. Iterating converts everything that can be reached.
    """

    def __init__(self, convert: Callable[[str], Any]) -> None:
        self._convert = convert
        self._references: dict[str, str] = {}
        self._made: JsonObject = {}
        # Calls are prepared in the event loop while types are rendered in the catalog's thread.
        self._lock = RLock()

    def add(self, name: str, reference: str) -> None:
        self._references[name] = reference

    def put(self, name: str, schema: Any) -> None:
        self._references.setdefault(name, "")
        self._made.setdefault(name, schema)

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            with self._lock:
                if name not in self._made:
                    self._made[name] = self._convert(self._references[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        while len(self._made) < len(self._references):
            for name in list(self._references):
                self[name]
        return iter(self._references)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self._references)


class Dialect:
    """Converts schemas of one document for one direction; what they refer to is in `defs`."""

    def __init__(self, doc: Doc, direction: Direction) -> None:
        self._doc = doc
        self._old = doc.schema_dialect != "2020-12"
        self._hidden = "readOnly" if direction == "request" else "writeOnly"
        self._names: dict[str, str] = {}
        self._taken = {"ToolFile"}
        self._hidden_around: list[frozenset[str]] = []
        self._component: tuple[str, Any] = ("", None)
        self.defs = Definitions(self._target)

    def convert(self, schema: Any) -> Any:
        """One schema; what it refers to directly is known to `defs` now. Recursion stays a reference."""
        return self._schema(schema)

    def _target(self, reference: str) -> Any:
        try:
            schema = self._doc.get(reference)
        except BrokenReference:
            return True
        self._component = (reference, schema)
        return self._schema(schema)

    def use_tool_file(self) -> JsonObject:
        """A reference to the definition of a file value."""
        self.defs.put("ToolFile", TOOL_FILE)
        return {"$ref": "#/$defs/ToolFile"}

    def _schema(self, schema: Any, hidden_around: frozenset[str] = frozenset()) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            return True
        if schema.get("type") == "file":
            return self.use_tool_file()
        self._hidden_around.append(hidden_around | self._hidden_names(schema))
        try:
            out = self._keywords(schema)
        finally:
            self._hidden_around.pop()
        is_nullable = schema.get("nullable") is True or schema.get("x-nullable") is True
        return _nullable(out) if is_nullable else out

    def _keywords(self, schema: JsonObject) -> JsonObject:
        out: JsonObject = {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            out["$ref"] = f"#/$defs/{self._name(reference)}"
            if self._old:
                return out
        for key, value in schema.items():
            write = _KEYWORDS.get(key)
            if write is not None:
                write(self, out, key, value, schema)
        if "enum" in out and "type" in out:
            _reconcile(out)
        if self._old:
            _old_bounds(out, schema)
        return out

    def one(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if isinstance(value, bool | dict):
            out[key] = self._schema(value)

    def many(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if isinstance(value, list) and value:
            around = self._hidden_around[-1] if key in BRANCHES else frozenset()
            out[key] = [self._schema(item, around) for item in value]

    def mapped(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if isinstance(value, dict):
            out[key] = {name: self._schema(part) for name, part in value.items()}

    def properties(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if isinstance(value, dict):
            hidden = [name for name, part in value.items() if self._is_hidden(part)]
            out[key] = {name: self._schema(part) for name, part in value.items() if name not in hidden}
            if hidden and self._hidden == "readOnly":
                out[HIDDEN] = hidden

    def items(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        """A list of schemas is what 2020-12 calls prefixItems."""
        if isinstance(value, list):
            out["prefixItems"] = [self._schema(item) for item in value]
        else:
            out["items"] = self._schema(value)

    def required(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if not isinstance(value, list):
            return
        hidden = self._hidden_around[-1]
        kept = [name for name in value if isinstance(name, str) and name not in hidden]
        if kept:
            out["required"] = list(dict.fromkeys(kept))

    def discriminator(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        """Every value that names a schema; those that no mapping names go by the names of the components: the choices,
        or else the schemas that extend this one.
        """
        if isinstance(value, str):
            value = {"propertyName": value}
        if not isinstance(value, dict) or not isinstance(value.get("propertyName"), str):
            return
        named = {name: _component(one) for name, one in mapping(value.get("mapping")).items()}
        mapped = frozenset(named.values())
        for choices in (schema.get("oneOf"), schema.get("anyOf")):
            for one in choices if isinstance(choices, list) else []:
                reference = one.get("$ref") if isinstance(one, dict) else None
                if isinstance(reference, str) and "/" in reference and reference not in mapped:
                    for name in self._discriminating(reference, value["propertyName"]):
                        named.setdefault(name, reference)
        reference, component = self._component
        if not named and component is schema:
            named = dict(self._doc.descendants.get(reference, {}))
        found = {str(name): f"#/$defs/{self._name(one)}" for name, one in named.items() if one[:2] == "#/"}
        out[key] = {"propertyName": value["propertyName"], **({"mapping": found} if found else {})}

    def _discriminating(self, reference: str, property_name: str) -> list[str]:
        """The values of the property that stand for a component: those it has itself, else its name."""
        own = mapping(
            mapping(mapping(self._followed({"$ref": reference})).get("properties")).get(property_name)
        )
        values = [own["const"]] if "const" in own else own.get("enum")
        if isinstance(values, list) and values and all(isinstance(one, str) for one in values):
            return values
        return split_fragment(reference.partition("#")[2])[-1:]

    def _hidden_names(self, schema: Any, depth: int = 0) -> frozenset[str]:
        """The hidden properties of the schema and of all its branches."""
        known = mapping(schema.get("properties")) if isinstance(schema, dict) else {}
        names = frozenset(name for name, part in known.items() if self._is_hidden(part))
        for key in BRANCHES if isinstance(schema, dict) and depth < _MAX_PARTS else ():
            parts = schema.get(key)
            for part in parts if isinstance(parts, list) else ():
                names |= self._hidden_names(self._followed(part), depth + 1)
        return names

    def _is_hidden(self, schema: Any) -> bool:
        """Also behind a reference, or an `allOf` of one: the way to write something beside it in 3.0."""
        if not isinstance(schema, dict):
            return False
        if schema.get(self._hidden) is True:
            return True
        wrapped = schema.get("allOf")
        if isinstance(wrapped, list) and len(wrapped) == 1:
            schema = wrapped[0]
        return "$ref" in mapping(schema) and mapping(self._followed(schema)).get(self._hidden) is True

    def _followed(self, schema: Any) -> Any:
        try:
            return self._doc.deref(schema)
        except BrokenReference:
            return None

    def _name(self, reference: str) -> str:
        name = self._names.get(reference)
        if name is None:
            tokens = split_fragment(reference.partition("#")[2])
            wanted = _NAME.sub("_", tokens[-1] if tokens else "root") or "schema"
            name, number = wanted, 2
            while name in self._taken:
                name, number = f"{wanted}_{number}", number + 1
            self._taken.add(name)
            self._names[reference] = name
            self.defs.add(name, reference)
        return name


def _type(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    listed = value if isinstance(value, list) else [value]
    kept = [item for item in listed if isinstance(item, str) and item in _PYTHON_TYPES]
    if kept:
        out[key] = kept if len(kept) > 1 else kept[0]


def _enum(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    if isinstance(value, list) and value:
        out[key] = value


def _pattern(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    if isinstance(value, str) and len(value) <= _MAX_PATTERN:
        out[key] = value


def _number(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and (key != "multipleOf" or value > 0):
        out[key] = value


def _plain(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    out[key] = value


def _text(dialect: Dialect, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
    if isinstance(value, str):
        out[key] = value


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "number": (int, float), "integer": (int, float), "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip


def _component(reference: Any) -> str:
    """What a mapping names: a reference, or the name of a component."""
    text = str(reference)
    return text if "#" in text else f"#/components/schemas/{text.replace('~', '~0').replace('/', '~1')}"


def _reconcile(out: JsonObject) -> None:
    """Drop a `type` that no `enum` value has: YAML turns the names of a string enum into `[true, false]`. Null in an
    `enum` is meant.
    """
    types = out["type"] if isinstance(out["type"], list) else [out["type"]]
    if None in out["enum"] and "null" not in types:
        types = out["type"] = [*types, "null"]
    if not any(isinstance(value, _PYTHON_TYPES[kind]) for value in out["enum"] for kind in types):
        del out["type"]


def _old_bounds(out: JsonObject, schema: JsonObject) -> None:
    """JSON Schema draft 4: `exclusiveMinimum: true` sharpens `minimum`."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(flag) is True and bound in out:
            out[flag] = out.pop(bound)


WriteKeyword = Callable[[Dialect, JsonObject, str, Any, JsonObject], None]
# Everything else that stands in a schema is dropped.
_KEYWORDS: dict[str, WriteKeyword] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "properties": Dialect.properties,
    "required": Dialect.required,
    "items": Dialect.items,
    "discriminator": Dialect.discriminator,
    **dict.fromkeys(_ONE, Dialect.one),
    **dict.fromkeys(_MANY, Dialect.many),
    **dict.fromkeys(_MAPS, Dialect.mapped),
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_PLAIN, _plain),
    **dict.fromkeys(_TEXTS, _text),
}


def _nullable(out: JsonObject) -> JsonObject:
    kind = out.get("type")
    if "$ref" in out or kind is None:
        return {"anyOf": [out, {"type": "null"}]} if out else {}
    kinds = kind if isinstance(kind, list) else [kind]
    out["type"] = kinds if "null" in kinds else [*kinds, "null"]
    if "enum" in out and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
    return out
