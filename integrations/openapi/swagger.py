"""Swagger 2.0 parameters and bodies in the shape of OpenAPI 3."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.base import JsonObject
from integrations.openapi.binding import COLLECTIONS, DEFAULT_STYLES, Body, Location, Media, Parameter

_SWAGGER_OWN = frozenset({"name", "in", "required", "description", "collectionFormat", "allowEmptyValue"})


def swagger_parameter(entry: JsonObject, location: Location) -> Parameter:
    """A 2.0 parameter is its own schema; collectionFormat says how an array is joined, `multi` repeats the
    name.
    """
    collection = entry.get("collectionFormat", "csv")
    multi = collection == "multi" and location == "query"
    return Parameter(
        name=entry["name"],
        location=location,
        required=location == "path" or entry.get("required") is True,
        schema=_schema(entry),
        style=DEFAULT_STYLES[location],
        explode=multi,
        delimiter=None if multi else COLLECTIONS.get(collection, ","),
        description=str(entry.get("description") or ""),
    )


def _schema(entry: JsonObject) -> JsonObject:
    return {key: value for key, value in entry.items() if key not in _SWAGGER_OWN}


def swagger_body(raw: Sequence[JsonObject], consumes: Sequence[str]) -> Body | None:
    """The `in: body` parameter whatever its name, or all formData parameters as properties of one object."""
    for entry in raw:
        if entry.get("in") == "body":
            types = [kind for kind in consumes if not _is_form(kind)] or consumes or ["application/json"]
            media = tuple(
                Media("application/json" if t == "*/*" else t, entry.get("schema", {})) for t in types
            )
            return Body(entry.get("required") is True, media, str(entry.get("description") or ""))
    fields = [entry for entry in raw if entry.get("in") == "formData"]
    return _swagger_form(fields, consumes) if fields else None


def _swagger_form(fields: Sequence[JsonObject], consumes: Sequence[str]) -> Body:
    properties: JsonObject = {}
    encoding: JsonObject = {}
    for entry in fields:
        described = {"description": entry["description"]} if isinstance(entry.get("description"), str) else {}
        properties[entry["name"]] = {**_schema(entry), **described}
        if entry.get("type") == "array":
            encoding[entry["name"]] = {"x-collection": entry.get("collectionFormat", "csv")}
    required = [entry["name"] for entry in fields if entry.get("required") is True]
    schema = {"type": "object", "properties": properties, "required": required}
    has_file = any(entry.get("type") == "file" for entry in fields)
    types = [kind for kind in consumes if _is_form(kind)]
    if has_file:
        types = [kind for kind in types if "multipart" in kind] or ["multipart/form-data"]
    types = types or ["application/x-www-form-urlencoded"]
    return Body(bool(required), tuple(Media(kind, schema, encoding) for kind in types))


def _is_form(kind: str) -> bool:
    return "multipart/" in kind or "form-urlencoded" in kind
