"""What is known of scalar and enum types as JSON Schema, for arguments and results alike."""

from __future__ import annotations

from typing import Any

from integrations.base import JsonObject
from integrations.graphql.schema import Type

_BUILT_IN = {"Int": "integer", "Float": "number", "String": "string", "Boolean": "boolean", "ID": "string"}
# Custom scalars whose names mean the same everywhere; all of them travel as JSON strings. "" is no format.
_TEXTUAL = {
    "date": "date", "datetime": "date-time", "isodatetime": "date-time", "iso8601datetime": "date-time",
    "timestamptz": "date-time", "iso8601date": "date", "time": "time", "duration": "duration", "uri": "uri",
    "url": "uri", "uuid": "uuid", "email": "email", "emailaddress": "email", "html": "", "markdown": "",
    "base64string": "", "gitobjectid": "", "gittimestamp": "date-time", "precisedatetime": "date-time", "cursor": "",
}  # fmt: skip
_DESCRIBED = 200


def leaf_schema(found: Type) -> JsonObject:
    """A scalar or enum, not nullable."""
    if found.kind == "ENUM":
        return {"type": "string", "enum": [value.name for value in found.values]}
    if found.name in _BUILT_IN:
        return {"type": _BUILT_IN[found.name]}
    text = found.description.strip().split("\n", 1)[0][:_DESCRIBED]
    described = {"description": f"{found.name}: {text}" if text else found.name}
    textual = _TEXTUAL.get(found.name.lower().replace("_", ""))
    if textual is None:
        return described
    return {"type": "string", **({"format": textual} if textual else {}), **described}


def or_null(schema: JsonObject) -> JsonObject:
    """The same, or null. A schema without a type or reference already allows null."""
    if "$ref" in schema or "anyOf" in schema or "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return schema


def with_description(schema: JsonObject, text: str) -> JsonObject:
    """The schema with a description; a reference keeps the one of its definition."""
    return {**schema, "description": text} if text else schema


def reference_to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}
