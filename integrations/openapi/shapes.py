"""What a schema is about, through references and combinations; and schemas with some of their properties put otherwise.

Real documents write `$ref`, `allOf` with one member, `anyOf` with null: a rule for properties has to look through all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import is_json_type
from integrations.openapi.dialect import Dialect
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import BRANCHES, mapping

_DEEP = 8
_OBJECT_OR_LIST = ("properties", "items", "additionalProperties", "prefixItems", "patternProperties")
# (raw schema of a property, what it is converted to) -> what stands for it.
Property = Callable[[Any, Any], Any]


def resolved(doc: Doc, schema: Any) -> JsonObject:
    """The object behind references; {} where there is none."""
    try:
        return mapping(doc.deref(schema))
    except BrokenReference:
        return {}


def holds_data(doc: Doc, schema: Any, depth: int = 0) -> bool:
    """Is a value of this schema an object or a list, and never text? Unknown counts as no."""
    known = resolved(doc, schema)
    if depth > _DEEP or not known:
        return False
    if (kind := known.get("type")) is not None:
        kinds = kind if isinstance(kind, list) else [kind]
        return "string" not in kinds and not {"object", "array"}.isdisjoint(map(str, kinds))
    if any(keyword in known for keyword in _OBJECT_OR_LIST):
        return True
    if isinstance(parts := known.get("allOf"), list):
        return any(holds_data(doc, part, depth + 1) for part in parts)
    choices = [one for key in ("anyOf", "oneOf") for one in _listed(known, key) if not is_null(one)]
    return bool(choices) and all(holds_data(doc, one, depth + 1) for one in choices)


def is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def is_bytes(doc: Doc, schema: Any, depth: int = 0) -> bool:
    """`format: binary` (2.0: `type: file`), also behind references and as one of several choices."""
    known = resolved(doc, schema)
    if known.get("type") == "file" or known.get("format") == "binary":
        return True
    kind = known.get("contentMediaType")
    if isinstance(kind, str) and "contentEncoding" not in known and not is_json_type(kind):
        return True
    return depth < _DEEP and any(
        is_bytes(doc, one, depth + 1) for key in BRANCHES for one in _listed(known, key)
    )


def _listed(schema: JsonObject, key: str) -> list[Any]:
    found = schema.get(key)
    return found if isinstance(found, list) else []


def form_schema(dialect: Dialect, doc: Doc, raw: Any) -> Any:
    """A multipart form: its file parts are `ToolFile` values, or text."""

    def part(of: Any, converted: Any) -> Any:
        known = resolved(doc, of)
        if is_bytes(doc, of):
            file = {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
            if "description" in known:
                file["description"] = known["description"]
            return file
        if known.get("type") == "array" and is_bytes(doc, known.get("items")):
            items = {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
            plain = (
                converted if isinstance(converted, dict) and "$ref" not in converted else {"type": "array"}
            )
            return {**plain, "items": items}
        return converted

    if is_bytes(doc, raw):
        return {"anyOf": [dialect.use_tool_file(), {"type": "string"}, {"type": "object"}]}
    if not _has_files(doc, raw):
        return dialect.convert(raw)
    return with_properties(dialect, doc, raw, part)


def _has_files(doc: Doc, raw: Any, depth: int = 0) -> bool:
    known = resolved(doc, raw)
    parts = mapping(known.get("properties")).values()
    if any(is_bytes(doc, one) or is_bytes(doc, resolved(doc, one).get("items")) for one in parts):
        return True
    return depth < _DEEP and any(
        _has_files(doc, one, depth + 1) for key in BRANCHES for one in _listed(known, key)
    )


def event_schema(dialect: Dialect, doc: Doc, raw: Any) -> Any:
    """A server-sent event (OpenAPI 3.2 `itemSchema`): data that is JSON arrives parsed."""

    def part(of: Any, converted: Any) -> Any:
        known = resolved(doc, of)
        if not is_json_type(known.get("contentMediaType")):
            return converted
        return dialect.convert(known.get("contentSchema", True))

    return with_properties(dialect, doc, raw, part)


def with_properties(dialect: Dialect, doc: Doc, raw: Any, change: Property, depth: int = 0) -> Any:
    """The schema with the properties on its own level changed; the references that lead to them are written out."""
    known = resolved(doc, raw)
    if not known or depth > _DEEP:
        return dialect.convert(raw)
    out = dialect.convert(known)
    if not isinstance(out, dict):
        return out
    if isinstance(properties := out.get("properties"), dict):
        declared = mapping(known.get("properties"))
        out = {
            **out,
            "properties": {name: change(declared.get(name), one) for name, one in properties.items()},
        }
    for key in BRANCHES:
        if key in out and (branches := _listed(known, key)):
            out = {**out, key: [with_properties(dialect, doc, one, change, depth + 1) for one in branches]}
    return out
