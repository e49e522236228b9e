"""OpenAPI's schema dialects to JSON Schema 2020-12, with every reference turned into `#/$defs/<name>`.

2.0 and 3.0: `nullable` becomes a null type, boolean exclusiveMinimum a number, and what stands beside `$ref`
is ignored. 3.1 is 2020-12 already. `readOnly` properties leave requests (and `required`), `writeOnly` ones
responses. Keywords that are no keywords, or have values no validator accepts, are dropped: real documents
hold many.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from integrations.base import JsonObject
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import split_fragment

Direction = Literal["request", "response"]
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_NUMBERS = frozenset({
    "minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
    "maxProperties", "minContains", "maxContains",
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
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
TOOL_FILE: JsonObject = {
    "type": "object",
    "description": "A file: base64 data with a MIME type",
    "properties": {
        "_tag": {"const": "ToolFile"},
        "name": {"type": "string"},
        "mimeType": {"type": "string"},
        "encoding": {"const": "base64"},
        "data": {"type": "string"},
        "byteLength": {"type": "integer"},
    },
    "required": ["_tag", "mimeType", "encoding", "data"],
}


class Dialect:
    """Converts schemas of one document for one direction and gathers what they refer to in `defs`."""

    def __init__(self, doc: Doc, direction: Direction) -> None:
        self._doc = doc
        self._old = doc.schema_dialect != "2020-12"
        self._hidden = "readOnly" if direction == "request" else "writeOnly"
        self._names: dict[str, str] = {}
        self._pending: list[str] = []
        self.defs: JsonObject = {}

    def convert(self, schema: Any) -> Any:
        """One schema, with everything it reaches added to `defs`. Recursion stays a reference."""
        converted = self._schema(schema)
        while self._pending:
            reference = self._pending.pop()
            try:
                target = self._doc.get(reference)
            except BrokenReference:
                target = True
            self.defs[self._names[reference]] = self._schema(target)
        return converted

    def use_tool_file(self) -> JsonObject:
        """A reference to the definition of a file value."""
        self.defs.setdefault("ToolFile", TOOL_FILE)
        return {"$ref": "#/$defs/ToolFile"}

    def _schema(self, schema: Any) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            return True
        out: JsonObject = {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            out["$ref"] = f"#/$defs/{self._name(reference)}"
            if self._old:
                return out
        if schema.get("type") == "file":
            return self.use_tool_file()
        for key, value in schema.items():
            if key != "$ref":
                self._keyword(out, key, value, schema)
        _reconcile(out)
        if self._old:
            _old_bounds(out, schema)
            if schema.get("nullable") is True or schema.get("x-nullable") is True:
                return _nullable(out)
        return out

    def _keyword(self, out: JsonObject, key: str, value: Any, schema: JsonObject) -> None:
        if key == "properties" and isinstance(value, dict):
            out[key] = {n: self._schema(s) for n, s in value.items() if not self._is_hidden(s)}
        elif key == "required" and isinstance(value, list):
            self._required(out, value, schema.get("properties"))
        elif key == "items":
            self._items(out, value)
        elif key in _ONE and isinstance(value, bool | dict):
            out[key] = self._schema(value)
        elif key in _MANY and isinstance(value, list) and value:
            out[key] = [self._schema(item) for item in value]
        elif key in _MAPS and isinstance(value, dict):
            out[key] = {n: self._schema(s) for n, s in value.items()}
        else:
            _assertion(out, key, value)

    def _items(self, out: JsonObject, value: Any) -> None:
        if isinstance(value, list):
            out["prefixItems"] = [self._schema(item) for item in value]
        else:
            out["items"] = self._schema(value)

    def _required(self, out: JsonObject, names: list[Any], properties: Any) -> None:
        known = properties if isinstance(properties, dict) else {}
        kept = [n for n in names if isinstance(n, str) and not self._is_hidden(known.get(n))]
        if kept:
            out["required"] = list(dict.fromkeys(kept))

    def _is_hidden(self, schema: Any) -> bool:
        return isinstance(schema, dict) and schema.get(self._hidden) is True

    def _name(self, reference: str) -> str:
        name = self._names.get(reference)
        if name is None:
            tokens = split_fragment(reference.partition("#")[2])
            wanted = _NAME.sub("_", tokens[-1] if tokens else "root") or "schema"
            taken = set(self._names.values()) | {"ToolFile"}
            name, number = wanted, 2
            while name in taken:
                name, number = f"{wanted}_{number}", number + 1
            self._names[reference] = name
            self._pending.append(reference)
        return name


def _assertion(out: JsonObject, key: str, value: Any) -> None:
    if key == "type":
        kept = _types(value)
        if kept:
            out[key] = kept if len(kept) > 1 else kept[0]
    elif key == "enum":
        if isinstance(value, list) and value:
            out[key] = value
    elif key == "pattern":
        if isinstance(value, str) and len(value) <= _MAX_PATTERN:
            out[key] = value
    elif key in ("exclusiveMinimum", "exclusiveMaximum") or key in _NUMBERS:
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and (key != "multipleOf" or value > 0)
        ):
            out[key] = value
    elif key in _PLAIN or (key in _TEXTS and isinstance(value, str)):
        out[key] = value


def _types(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str) and item in _TYPES]


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "number": (int, float), "integer": (int, float), "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip


def _reconcile(out: JsonObject) -> None:
    """`type: string` beside `enum: [true, false]` (YAML's doing) allows nothing: the enum is what was meant."""
    types, values = out.get("type"), out.get("enum")
    if types is None or values is None:
        return
    allowed = [_PYTHON_TYPES[kind] for kind in (types if isinstance(types, list) else [types])]
    if not any(isinstance(value, kind) for value in values for kind in allowed):
        del out["type"]


def _old_bounds(out: JsonObject, schema: JsonObject) -> None:
    """JSON Schema draft 4: `exclusiveMinimum: true` sharpens `minimum`."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(flag) is True and bound in out:
            out[flag] = out.pop(bound)


def _nullable(out: JsonObject) -> JsonObject:
    kind = out.get("type")
    if isinstance(kind, str):
        out["type"] = [kind, "null"]
        if "enum" in out and None not in out["enum"]:
            out["enum"] = [*out["enum"], None]
        return out
    return {"anyOf": [out, {"type": "null"}]} if out else {}
