from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.binding import (
    DEFAULT_STYLES,
    LOCATIONS,
    Media,
    OperationBinding,
    bind_operation,
    bind_security,
    swagger_body,
    swagger_parameter,
)
from integrations.openapi.request import build_request
from tests.integrations.openapi.documents import compiled, operation, toolset_of


def test_the_essence_of_a_media_type_has_no_parameters() -> None:
    assert Media("Application/JSON ; charset=utf-8", {}).essence == "application/json"


def test_every_location_has_a_default_style() -> None:
    assert set(DEFAULT_STYLES) == set(LOCATIONS)


def bound(document: JsonObject, path: str = "/x", method: str = "get") -> OperationBinding:
    return bind_operation(compiled(document), method, path, None)


def swagger(operation: JsonObject, method: str = "post", **root: Any) -> JsonObject:
    return {
        "swagger": "2.0",
        "host": "api.example.com",
        "basePath": "/v1",
        "schemes": ["https"],
        "paths": {"/x": {method: {"operationId": "op", **operation}}},
        **root,
    }


DEFAULTS = [
    ("path", "simple", False),
    ("query", "form", True),
    ("header", "simple", False),
    ("cookie", "form", True),
]


@pytest.mark.parametrize(("location", "style", "explode"), DEFAULTS)
def test_default_styles(location: str, style: str, explode: bool) -> None:
    path = "/x/{p}" if location == "path" else "/x"
    document = operation(path, parameters=[{"name": "p", "in": location, "schema": {}}])
    (parameter,) = bound(document, path).parameters
    assert (parameter.style, parameter.explode) == (style, explode)
    assert parameter.required is (location == "path")


def test_operation_parameters_override_those_of_the_path_item() -> None:
    document = operation("/x", parameters=[{"name": "p", "in": "query", "explode": False}])
    document["paths"]["/x"]["parameters"] = [
        {"name": "p", "in": "query"},
        {"name": "P", "in": "query"},
        {"name": "p", "in": "header"},
    ]
    found = {(p.name, p.location): p.explode for p in bound(document).parameters}
    assert found == {("p", "query"): False, ("P", "query"): True, ("p", "header"): False}


def test_a_style_that_does_not_fit_its_location_is_the_default() -> None:
    (parameter,) = bound(
        operation("/x", parameters=[{"name": "p", "in": "header", "style": "deepObject"}])
    ).parameters
    assert parameter.style == "simple"


def test_security_alternatives() -> None:
    schemes = {
        "hdr": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "b": {"type": "http", "scheme": "BEARER"},
        "basic": {"type": "http", "scheme": "Basic"},
        "oauth": {"type": "oauth2"},
        "odd": {"type": "http", "scheme": "digest"},
    }
    security = [{"hdr": [], "b": []}, {"basic": []}, {"oauth": ["x"]}, {"odd": []}, {"gone": []}, {}]
    document = operation("/x", security=security, root_components={"securitySchemes": schemes})
    kinds = [[scheme.kind for scheme in alternative] for alternative in bound(document).security or ()]
    assert kinds == [["header", "bearer"], ["basic"], ["bearer"], ["unsupported"], ["unsupported"], []]
    assert bound(operation("/x")).security is None
    assert bound(operation("/x", security=[], root_security=[{"hdr": []}])).security == ()


def send(document: JsonObject, arguments: JsonObject) -> tuple[str, dict[str, str], bytes | None]:
    toolset = toolset_of(document)
    request, _ = build_request(toolset.closure(toolset.tools[0].name), arguments, None)
    return request.url, dict(request.headers), request.body


def test_swagger_body_whatever_its_name() -> None:
    document = swagger(
        {"parameters": [{"name": "pet", "in": "body", "required": True, "schema": {"type": "object"}}]}
    )
    url, headers, body = send(document, {"body": {"a": 1}})
    assert (url, headers["Content-Type"], body) == (
        "https://api.example.com/v1/x",
        "application/json",
        b'{"a":1}',
    )


def test_swagger_referenced_body_and_any_type() -> None:
    shared = {"pet": {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}}
    document = swagger(
        {"parameters": [{"$ref": "#/parameters/pet"}], "consumes": ["*/*"]},
        parameters=shared,
        definitions={"Pet": {"type": "object"}},
    )
    assert send(document, {"body": {}})[1]["Content-Type"] == "application/json"


def test_swagger_form_and_file() -> None:
    fields = [
        {"name": "a", "in": "formData", "type": "string"},
        {
            "name": "l",
            "in": "formData",
            "type": "array",
            "items": {"type": "string"},
            "collectionFormat": "pipes",
        },
    ]
    _, headers, body = send(swagger({"parameters": fields}), {"body": {"a": "x y", "l": ["1", "2"]}})
    assert (headers["Content-Type"], body) == ("application/x-www-form-urlencoded", b"a=x%20y&l=1%7C2")
    file = [{"name": "f", "in": "formData", "type": "file", "required": True}]
    sent_file = {"_tag": "ToolFile", "mimeType": "text/plain", "encoding": "base64", "data": "YQ=="}
    _, headers, body = send(swagger({"parameters": file}), {"body": {"f": sent_file}})
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b"\r\n\r\na\r\n" in (body or b"")


FORMATS = [("csv", "a,b"), ("ssv", "a%20b"), ("tsv", "a%09b"), ("pipes", "a%7Cb")]


@pytest.mark.parametrize(("collection", "joined"), FORMATS)
def test_swagger_collection_formats(collection: str, joined: str) -> None:
    parameter = {
        "name": "p",
        "in": "query",
        "type": "array",
        "items": {"type": "string"},
        "collectionFormat": collection,
    }
    assert send(swagger({"parameters": [parameter]}, "get"), {"p": ["a", "b"]})[0].endswith(f"/x?p={joined}")


def test_swagger_multi_repeats_the_name() -> None:
    parameter = {"name": "p", "in": "query", "type": "array", "collectionFormat": "multi"}
    assert send(swagger({"parameters": [parameter]}, "get"), {"p": ["a", "b"]})[0].endswith("/x?p=a&p=b")


def test_swagger_security() -> None:
    definitions = {
        "basic": {"type": "basic"},
        "key": {"type": "apiKey", "in": "query", "name": "k"},
        "o": {"type": "oauth2"},
    }
    document = swagger(
        {}, "get", securityDefinitions=definitions, security=[{"basic": [], "key": []}, {"o": []}]
    )
    kinds = [[scheme.kind for scheme in alternative] for alternative in bound(document).security or ()]
    assert kinds == [["basic", "query"], ["bearer"]]


SCHEMES: list[tuple[JsonObject, str, str]] = [
    ({"type": "apiKey", "in": "header", "name": "X-Key"}, "header", "X-Key"),
    ({"type": "apiKey", "in": "query", "name": "k"}, "query", "k"),
    ({"type": "apiKey", "in": "cookie", "name": "sid"}, "cookie", "sid"),
    ({"type": "apiKey", "in": "body", "name": "k"}, "unsupported", ""),
    ({"type": "http", "scheme": "BASIC"}, "basic", ""),
    ({"type": "http", "scheme": "Bearer"}, "bearer", ""),
    ({"type": "http", "scheme": "digest"}, "unsupported", ""),
    ({"type": "oauth2", "flows": {}}, "bearer", ""),
    ({"type": "openIdConnect"}, "bearer", ""),
    ({"type": "mutualTLS"}, "unsupported", ""),
]


def doc_with(schemes: JsonObject, security: Any = None) -> Any:
    document: JsonObject = {"openapi": "3.1.0", "info": {}, "paths": {}}
    document["components"] = {"securitySchemes": schemes}
    if security is not None:
        document["security"] = security
    return compiled(document)


@pytest.mark.parametrize(("scheme", "kind", "parameter"), SCHEMES)
def test_schemes(scheme: JsonObject, kind: str, parameter: str) -> None:
    bound = bind_security(doc_with({"s": scheme}), {"security": [{"s": []}]})
    assert bound is not None
    ((one,),) = bound
    assert (one.name, one.kind, one.parameter) == ("s", kind, parameter)


def test_alternatives_of_combinations() -> None:
    doc = doc_with({"a/b": {"type": "http", "scheme": "bearer"}})
    bound = bind_security(doc, {"security": [{"a/b": [], "gone": []}, {}]})
    assert bound is not None
    assert [[(s.name, s.kind) for s in group] for group in bound] == [
        [("a/b", "bearer"), ("gone", "unsupported")],
        [],
    ]


def test_the_operation_replaces_the_document() -> None:
    doc = doc_with({}, [{"a": []}])
    assert bind_security(doc, {"security": []}) == ()
    inherited = bind_security(doc, {})
    assert inherited is not None
    assert inherited[0][0].name == "a"
    assert bind_security(doc_with({}), {}) is None


def test_swagger_definitions() -> None:
    doc = compiled(
        {"swagger": "2.0", "info": {}, "paths": {}, "securityDefinitions": {"b": {"type": "basic"}}}
    )
    bound = bind_security(doc, {"security": [{"b": []}]})
    assert bound is not None
    assert bound[0][0].kind == "basic"


def field(name: str, **more: object) -> JsonObject:
    return {"name": name, "in": "formData", "type": "string", **more}


@pytest.mark.parametrize(("collection", "explode", "delimiter"), [
    (None, False, ","), ("csv", False, ","), ("ssv", False, " "), ("tsv", False, "\t"), ("pipes", False, "|"),
    ("multi", True, None), ("odd", False, ","),
])  # fmt: skip
def test_collection_formats(collection: str | None, explode: bool, delimiter: str | None) -> None:
    entry = {"name": "a", "in": "query", "type": "array", "items": {"type": "string"}}
    bound = swagger_parameter(entry | ({"collectionFormat": collection} if collection else {}), "query")
    assert (bound.explode, bound.delimiter) == (explode, delimiter)
    assert bound.schema["type"] == "array"


def test_multi_is_for_queries_only() -> None:
    bound = swagger_parameter(
        {"name": "a", "in": "header", "type": "array", "collectionFormat": "multi"}, "header"
    )
    assert (bound.explode, bound.delimiter) == (False, ",")


@pytest.mark.parametrize(("consumes", "types"), [
    ([], ["application/json"]), (["*/*"], ["application/json"]),
    (["application/xml", "application/json"], ["application/xml", "application/json"]),
    (["multipart/form-data", "application/json"], ["application/json"]),
    (["application/x-www-form-urlencoded"], ["application/x-www-form-urlencoded"]),
])  # fmt: skip
def test_a_body_parameter(consumes: list[str], types: list[str]) -> None:
    body = swagger_body(
        [{"name": "anything", "in": "body", "required": True, "schema": {"type": "object"}}], consumes
    )
    assert body is not None
    assert body.required
    assert [media.type for media in body.media] == types


@pytest.mark.parametrize(("fields", "consumes", "types"), [
    ([field("a")], [], ["application/x-www-form-urlencoded"]),
    ([field("a")], ["multipart/form-data"], ["multipart/form-data"]),
    ([field("a", type="file")], [], ["multipart/form-data"]),
    ([field("a", type="file")], ["application/x-www-form-urlencoded"], ["multipart/form-data"]),
])  # fmt: skip
def test_form_fields_become_one_body(fields: list[JsonObject], consumes: list[str], types: list[str]) -> None:
    body = swagger_body(fields, consumes)
    assert body is not None
    assert [media.type for media in body.media] == types
    assert set(body.media[0].schema["properties"]) == {"a"}


def test_fields_keep_what_is_said_of_them() -> None:
    body = swagger_body([field("a", required=True, description="What"), field("b", type="array")], [])
    assert body is not None
    assert body.required
    schema = body.media[0].schema
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"]["description"] == "What"
    assert body.media[0].encoding == {"b": {"x-collection": "csv"}}


def test_no_body() -> None:
    assert swagger_body([{"name": "q", "in": "query", "type": "string"}], ["application/json"]) is None
