"""One operation as an `OperationBinding`: its parameters, body, servers and security, with every reference followed.

Swagger 2.0 parameters and bodies are turned into the shape of OpenAPI 3 here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from integrations.base import JsonObject
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.operations import METHODS
from integrations.openapi.path_template import settle_template
from integrations.openapi.pointer import mapping, strings
from integrations.openapi.servers import ApiServer, bind_servers

Location = Literal["path", "query", "header", "cookie"]
LOCATIONS: tuple[Location, ...] = ("path", "query", "header", "cookie")
DEFAULT_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
# Swagger 2.0 collectionFormat -> the character between items; `multi` repeats the name instead.
COLLECTIONS = {"csv": ",", "ssv": " ", "tsv": "\t", "pipes": "|"}
# RFC 9110 section 7.6.1 (connection-specific) and what the client or the credential decides.
NEVER_FROM_ARGUMENTS = frozenset({
    "host", "authorization", "cookie", "content-length", "content-type", "connection", "keep-alive", "te",
    "trailer", "proxy-authenticate", "proxy-authorization", "proxy-connection", "transfer-encoding",
    "upgrade", "expect", "accept-encoding",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class OperationParameter:
    """`style` and `explode` are effective values. `delimiter` is Swagger 2.0's collectionFormat (raw character).

    `allow_empty`: the empty text may be sent whatever the schema says (`allowEmptyValue`).
    """

    name: str
    location: Location
    required: bool
    schema: Any
    style: str
    explode: bool
    allow_reserved: bool = False
    media_type: str | None = None
    delimiter: str | None = None
    description: str = ""
    deprecated: bool = False
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """One way to send a body. `encoding` is the raw Encoding map (name -> object).

    Of OpenAPI 3.2: `item_schema` is that of each item of a stream, `prefix_encoding` and `item_encoding` are those of
    the first and of all other parts of a multipart body without names.
    """

    type: str
    schema: Any
    encoding: Mapping[str, Any] = field(default_factory=dict)
    item_schema: Any = None
    prefix_encoding: tuple[Mapping[str, Any], ...] = ()
    item_encoding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def essence(self) -> str:
        return self.type.split(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class RequestBody:
    required: bool
    media: tuple[Media, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme: how a bound secret is presented."""

    name: str
    kind: Literal["bearer", "basic", "header", "query", "cookie", "unsupported"]
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class OperationBinding:
    """`security` is None when nothing is declared, else alternatives (OR) of schemes (AND).

    `ignored` are declared header parameters that arguments cannot set. `responses` maps status keys to raw objects.
    """

    method: str
    path: str
    parameters: tuple[OperationParameter, ...]
    ignored: frozenset[str]
    body: RequestBody | None
    servers: tuple[ApiServer, ...]
    security: tuple[tuple[Scheme, ...], ...] | None
    responses: Mapping[str, Any]
    produces: tuple[str, ...] = ()


def key_places(binding: OperationBinding) -> frozenset[tuple[str, str]]:
    """Location and name of the operation's API keys, which are the connection's to give: nobody is asked for them."""
    schemes = (scheme for alternative in binding.security or () for scheme in alternative)
    return frozenset((scheme.kind, scheme.parameter) for scheme in schemes if scheme.kind in LOCATIONS)


_ALLOWED_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}


def bind_operation(
    doc: Doc, method: str, path: str, source_url: str | None, hidden: frozenset[str] = frozenset()
) -> OperationBinding:
    """Bind one operation of the catalog, without its `hidden` parameters, of which those of the path are none.

    Raises `BrokenReference` only when the compiled document is damaged.
    """
    item = doc.path_item(path)
    operation = item.get(method)
    if not isinstance(operation, dict):
        operation = mapping(item.get("additionalOperations")).get(method, {})
    raw = [
        one
        for one in _raw_parameters(doc, item, operation)
        if one["name"] not in hidden or one.get("in") in ("path", "body")
    ]
    swagger = doc.version == "2.0"
    parameters, ignored = _parameters([_with_content(doc, one) for one in raw], swagger)
    template = settle_template(path, (one.name for one in parameters if one.location == "path"))
    if swagger:
        body = swagger_body(raw, strings(operation.get("consumes", doc.root.get("consumes"))))
    else:
        body = _body(doc, operation.get("requestBody"))
    return OperationBinding(
        method=sent_method(method),
        path=template.path,
        parameters=(
            *(one for one in parameters if one.location != "path" or one.name not in template.placeless),
            *map(_undeclared, template.undeclared),
        ),
        ignored=ignored,
        body=body,
        servers=bind_servers(doc.root, item, operation, source_url),
        security=bind_security(doc, operation),
        responses=_responses(doc, operation),
        produces=tuple(strings(operation.get("produces", doc.root.get("produces")))),
    )


def sent_method(key: str) -> str:
    """A key of a path item, or of `additionalOperations`, which is the method as it is sent (OpenAPI 3.2)."""
    return key.upper() if key in METHODS else key


def _undeclared(name: str) -> OperationParameter:
    return OperationParameter(name, "path", True, {"type": "string"}, "simple", False)


def _raw_parameters(doc: Doc, item: JsonObject, operation: JsonObject) -> list[JsonObject]:
    """Parameters of the path item, overridden by the operation's of equal name and location (case-sensitive)."""
    merged: dict[tuple[str, str], JsonObject] = {}
    for holder in (item, operation):
        listed = holder.get("parameters")
        for entry in listed if isinstance(listed, list) else []:
            parameter = doc.deref(entry)
            if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
                merged[(parameter["name"], str(parameter.get("in")))] = parameter
    return list(merged.values())


def _with_content(doc: Doc, entry: JsonObject) -> JsonObject:
    """The parameter with its Media Type Object in place, which OpenAPI 3.2 may refer to."""
    content = entry.get("content")
    if not isinstance(content, dict):
        return entry
    return {**entry, "content": {name: doc.deref(media) for name, media in content.items()}}


def _parameters(
    raw: list[JsonObject], swagger: bool
) -> tuple[tuple[OperationParameter, ...], frozenset[str]]:
    """OpenAPI 3 ignores Accept, Content-Type and Authorization parameters; 2.0 only knows the general rule."""
    refused = NEVER_FROM_ARGUMENTS if swagger else NEVER_FROM_ARGUMENTS | {"accept"}
    out: list[OperationParameter] = []
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


def _parameter(entry: JsonObject, location: Location) -> OperationParameter:
    declared = entry.get("style")
    known = isinstance(declared, str) and declared in _ALLOWED_STYLES[location]
    style = str(declared) if known else DEFAULT_STYLES[location]
    explode = entry.get("explode")
    content = mapping(entry.get("content"))
    media_type = next(iter(content), None)
    schema = mapping(content.get(media_type)).get("schema", {}) if media_type else entry.get("schema", {})
    return OperationParameter(
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
        allow_empty=location == "query" and entry.get("allowEmptyValue") is True,
    )


def _querystring(entry: JsonObject) -> OperationParameter:
    """OpenAPI 3.2 `in: querystring`: one parameter is the whole query, usually a form."""
    content = mapping(entry.get("content"))
    media_type = next(iter(content), "application/x-www-form-urlencoded")
    return OperationParameter(
        name=entry["name"],
        location="query",
        required=entry.get("required") is True,
        schema=mapping(content.get(media_type)).get("schema", {}),
        style="querystring",
        explode=True,
        media_type=None if media_type == "application/x-www-form-urlencoded" else media_type,
        description=str(entry.get("description") or ""),
    )


def _body(doc: Doc, raw: Any) -> RequestBody | None:
    body = doc.deref(raw)
    if not isinstance(body, dict):
        return None
    media = [_media(name, mapping(doc.deref(entry))) for name, entry in mapping(body.get("content")).items()]
    if not media:
        return None
    return RequestBody(body.get("required") is True, tuple(media), str(body.get("description") or ""))


def _media(name: str, entry: JsonObject) -> Media:
    """A Media Type Object, which is a component of its own in OpenAPI 3.2."""
    items = entry.get("itemSchema")
    schema = entry.get("schema", {} if items is None else {"type": "array", "items": items})
    first = entry.get("prefixEncoding")
    return Media(
        name,
        schema,
        mapping(entry.get("encoding")),
        items,
        tuple(map(mapping, first)) if isinstance(first, list) else (),
        mapping(entry.get("itemEncoding")),
    )


def _responses(doc: Doc, operation: JsonObject) -> JsonObject:
    out: JsonObject = {}
    for status, raw in mapping(operation.get("responses")).items():
        response = doc.deref(raw)
        if isinstance(response, dict):
            out[str(status)] = response
    return out


def bind_security(doc: Doc, operation: JsonObject) -> tuple[tuple[Scheme, ...], ...] | None:
    """The operation's `security` replaces the document's; an unknown scheme cannot be satisfied."""
    declared = operation.get("security", doc.root.get("security"))
    if not isinstance(declared, list):
        return None
    alternatives = [entry for entry in declared if isinstance(entry, dict)]
    return tuple(tuple(_scheme(doc, name) for name in entry) for entry in alternatives)


def _scheme(doc: Doc, name: str) -> Scheme:
    raw: Any
    try:
        if doc.version == "2.0":
            raw = mapping(doc.root.get("securityDefinitions")).get(name)
        else:
            raw = doc.deref(
                {"$ref": f"#/components/securitySchemes/{name.replace('~', '~0').replace('/', '~1')}"}
            )
    except BrokenReference:
        raw = None
    return _presented(name, mapping(raw))


def _presented(name: str, raw: JsonObject) -> Scheme:
    kind = raw.get("type")
    if (
        kind == "apiKey"
        and raw.get("in") in ("header", "query", "cookie")
        and isinstance(raw.get("name"), str)
    ):
        return Scheme(name, raw["in"], raw["name"])
    if kind == "basic" or (kind == "http" and str(raw.get("scheme", "")).lower() == "basic"):
        return Scheme(name, "basic")
    if kind in ("oauth2", "openIdConnect") or (kind == "http" and str(raw.get("scheme")).lower() == "bearer"):
        return Scheme(name, "bearer")
    return Scheme(name, "unsupported")


_SWAGGER_OWN = frozenset({"name", "in", "required", "description", "collectionFormat", "allowEmptyValue"})


def swagger_parameter(entry: JsonObject, location: Location) -> OperationParameter:
    """A 2.0 parameter is its own schema; collectionFormat says how an array is joined, `multi` repeats the name."""
    collection = entry.get("collectionFormat", "csv")
    multi = collection == "multi" and location == "query"
    return OperationParameter(
        name=entry["name"],
        location=location,
        required=location == "path" or entry.get("required") is True,
        schema=_schema(entry),
        style=DEFAULT_STYLES[location],
        explode=multi,
        delimiter=None if multi else COLLECTIONS.get(collection, ","),
        description=str(entry.get("description") or ""),
        allow_empty=location == "query" and entry.get("allowEmptyValue") is True,
    )


def _schema(entry: JsonObject) -> JsonObject:
    return {key: value for key, value in entry.items() if key not in _SWAGGER_OWN}


def swagger_body(raw: Sequence[JsonObject], consumes: Sequence[str]) -> RequestBody | None:
    """The `in: body` parameter whatever its name, or all formData parameters as properties of one object."""
    for entry in raw:
        if entry.get("in") == "body":
            types = [kind for kind in consumes if not _is_form(kind)] or consumes or ["application/json"]
            media = tuple(
                Media("application/json" if t == "*/*" else t, entry.get("schema", {})) for t in types
            )
            return RequestBody(entry.get("required") is True, media, str(entry.get("description") or ""))
    fields = [entry for entry in raw if entry.get("in") == "formData"]
    return _swagger_form(fields, consumes) if fields else None


def _swagger_form(fields: Sequence[JsonObject], consumes: Sequence[str]) -> RequestBody:
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
    return RequestBody(bool(required), tuple(Media(kind, schema, encoding) for kind in types))


def _is_form(kind: str) -> bool:
    return "multipart/" in kind or "form-urlencoded" in kind
