"""One operation as a `Binding`: what it takes, where it goes, what it needs. References are followed here."""

from __future__ import annotations

from typing import Any

from integrations.base import JsonObject
from integrations.openapi.binding import (
    DEFAULT_STYLES,
    LOCATIONS,
    NEVER_FROM_ARGUMENTS,
    Binding,
    Body,
    Location,
    Media,
    Parameter,
)
from integrations.openapi.doc import Doc
from integrations.openapi.raw import mapping, strings
from integrations.openapi.security import bind_security
from integrations.openapi.servers import bind_servers
from integrations.openapi.swagger import swagger_body, swagger_parameter

_ALLOWED_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}


def bind_operation(doc: Doc, method: str, path: str, source_url: str | None) -> Binding:
    """Bind one operation of the catalog. Raises `BrokenReference` only for documents changed under way."""
    item = doc.path_item(path)
    operation = item.get(method)
    if not isinstance(operation, dict):
        operation = mapping(item.get("additionalOperations")).get(method, {})
    raw = _raw_parameters(doc, item, operation)
    swagger = doc.version == "2.0"
    parameters, ignored = _parameters(raw, swagger)
    if swagger:
        body = swagger_body(raw, strings(operation.get("consumes", doc.root.get("consumes"))))
    else:
        body = _body(doc, operation.get("requestBody"))
    return Binding(
        method=method.upper(),
        path=path,
        parameters=parameters,
        ignored=ignored,
        body=body,
        servers=bind_servers(doc.root, item, operation, source_url),
        security=bind_security(doc, operation),
        responses=_responses(doc, operation),
        produces=tuple(strings(operation.get("produces", doc.root.get("produces")))),
    )


def _raw_parameters(doc: Doc, item: JsonObject, operation: JsonObject) -> list[JsonObject]:
    """Parameters of the path item, overridden by the operation's of equal name and location
    (case-sensitive).
    """
    merged: dict[tuple[str, str], JsonObject] = {}
    for holder in (item, operation):
        listed = holder.get("parameters")
        for entry in listed if isinstance(listed, list) else []:
            parameter = doc.deref(entry)
            if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
                merged[(parameter["name"], str(parameter.get("in")))] = parameter
    return list(merged.values())


def _parameters(raw: list[JsonObject], swagger: bool) -> tuple[tuple[Parameter, ...], frozenset[str]]:
    """OpenAPI 3 ignores Accept, Content-Type and Authorization parameters; 2.0 only knows the general
    rule.
    """
    refused = NEVER_FROM_ARGUMENTS if swagger else NEVER_FROM_ARGUMENTS | {"accept"}
    out: list[Parameter] = []
    ignored: set[str] = set()
    for entry in raw:
        location = entry.get("in")
        if location == "header" and entry["name"].lower() in refused:
            ignored.add(entry["name"])
        elif location == "querystring":
            out.append(_querystring(entry))
        elif location in LOCATIONS:
            out.append(swagger_parameter(entry, location) if swagger else _parameter(entry, location))
    return tuple(out), frozenset(ignored)


def _parameter(entry: JsonObject, location: Location) -> Parameter:
    declared = entry.get("style")
    known = isinstance(declared, str) and declared in _ALLOWED_STYLES[location]
    style = str(declared) if known else DEFAULT_STYLES[location]
    explode = entry.get("explode")
    content = mapping(entry.get("content"))
    media_type = next(iter(content), None)
    schema = mapping(content.get(media_type)).get("schema", {}) if media_type else entry.get("schema", {})
    return Parameter(
        name=entry["name"],
        location=location,
        required=location == "path" or entry.get("required") is True,
        schema=schema,
        style=style,
        explode=explode if isinstance(explode, bool) else style in ("form", "deepObject", "cookie"),
        allow_reserved=entry.get("allowReserved") is True,
        media_type=media_type,
        description=str(entry.get("description") or ""),
        deprecated=entry.get("deprecated") is True,
    )


def _querystring(entry: JsonObject) -> Parameter:
    """OpenAPI 3.2 `in: querystring`: one parameter is the whole query, usually a form."""
    content = mapping(entry.get("content"))
    media_type = next(iter(content), "application/x-www-form-urlencoded")
    return Parameter(
        name=entry["name"],
        location="query",
        required=entry.get("required") is True,
        schema=mapping(content.get(media_type)).get("schema", {}),
        style="querystring",
        explode=True,
        media_type=None if media_type == "application/x-www-form-urlencoded" else media_type,
        description=str(entry.get("description") or ""),
    )


def _body(doc: Doc, raw: Any) -> Body | None:
    body = doc.deref(raw)
    if not isinstance(body, dict):
        return None
    media = [
        Media(name, mapping(entry).get("schema", {}), mapping(mapping(entry).get("encoding")))
        for name, entry in mapping(body.get("content")).items()
    ]
    if not media:
        return None
    return Body(body.get("required") is True, tuple(media), str(body.get("description") or ""))


def _responses(doc: Doc, operation: JsonObject) -> JsonObject:
    out: JsonObject = {}
    for status, raw in mapping(operation.get("responses")).items():
        response = doc.deref(raw)
        if isinstance(response, dict):
            out[str(status)] = response
    return out
