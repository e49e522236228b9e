from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.bind import bind_operation
from integrations.openapi.binding import Binding
from integrations.openapi.request import build_request
from tests.integrations.openapi.documents import compiled, operation, toolset_of


def bound(document: JsonObject, path: str = "/x", method: str = "get") -> Binding:
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
    (parameter,) = bound(operation("/x", parameters=[{"name": "p", "in": location, "schema": {}}])).parameters
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
