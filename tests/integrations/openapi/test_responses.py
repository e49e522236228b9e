"""What operations are said to answer. Each row of the tables is one way in which documents write it."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.binding import OperationBinding
from integrations.openapi.doc import Doc
from integrations.openapi.responses import (
    accept_header,
    chosen_type,
    is_data,
    response_types,
    selectable_types,
)
from tests.integrations.openapi.documents import compiled, only_tool, operation, toolset_of

OBJECT = {"type": "object"}
BYTES = {"type": "string", "format": "binary"}
FILE = {"$ref": "#/$defs/ToolFile"}
FILE_OR_TEXT = {"anyOf": [FILE, {"type": "string"}]}
TEXT = {"type": "string"}
EVENT = {
    "type": "object",
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"type": "integer"},
        }
    },
}
COMPONENTS = {
    "schemas": {"Pet": OBJECT, "Bytes": BYTES, "Event": EVENT},
    "mediaTypes": {"M": {"schema": {"type": "integer"}}},
}


def document(responses: JsonObject, method: str = "get") -> JsonObject:
    return operation("/x", method, "3.2.0", responses=responses, root_components=COMPONENTS)


def output(content: JsonObject) -> Any:
    toolset = toolset_of(document({"200": {"description": "", "content": content}}))
    found = toolset.schemas(only_tool(toolset)).output
    return {key: value for key, value in found.items() if key != "$defs"} if found else found


def bound(document: JsonObject) -> tuple[Doc, OperationBinding]:
    toolset = toolset_of(document)
    return toolset.doc, toolset.binding(only_tool(toolset))


# Media type, its object, what `data` is.
READINGS: list[tuple[str, Any, Any]] = [
    ("application/json", {"schema": OBJECT}, OBJECT),
    ("application/json", {}, None),
    ("application/json", {"schema": BYTES}, FILE_OR_TEXT),
    ("application/json", {"schema": {"$ref": "#/components/schemas/Bytes"}}, FILE_OR_TEXT),
    ("application/json", {"$ref": "#/components/mediaTypes/M"}, {"type": "integer"}),
    ("*/*", {"schema": OBJECT}, OBJECT),
    ("*/*", {"schema": TEXT}, TEXT),
    ("*/*", {"schema": BYTES}, FILE_OR_TEXT),
    ("*/*", {"schema": {"$ref": "#/components/schemas/Pet"}}, {"$ref": "#/$defs/Pet"}),
    ("*/*", {}, None),
    ("application/*", {"schema": OBJECT}, OBJECT),
    ("application/*", {}, None),
    ("image/*", {}, FILE),
    ("image/*", {"schema": BYTES}, FILE_OR_TEXT),
    ("text/*", {"schema": TEXT}, TEXT),
    ("application/vnd.acme.v3", {"schema": OBJECT}, OBJECT),
    ("application/vnd.acme.v3", {"schema": {"$ref": "#/components/schemas/Pet"}}, {"$ref": "#/$defs/Pet"}),
    ("application/vnd.acme.v3", {"schema": {"oneOf": [OBJECT, {"type": "null"}]}},
     {"oneOf": [OBJECT, {"type": "null"}]}),
    ("application/vnd.acme.v3", {"schema": BYTES}, FILE),
    ("application/vnd.acme.v3", {}, FILE),
    ("application/pdf", {"schema": TEXT}, FILE),
    ("text/plain", {"schema": OBJECT}, {"anyOf": [OBJECT, TEXT]}),
    ("text/csv", {"schema": TEXT}, TEXT),
    ("application/xml", {"schema": OBJECT}, TEXT),
    ("application/x-www-form-urlencoded", {"schema": TEXT}, TEXT),
    ("multipart/mixed", {"schema": TEXT}, FILE),
    ("application/json-seq", {"itemSchema": OBJECT}, {"type": "array", "items": OBJECT}),
    ("application/x-ndjson", {"schema": OBJECT}, {"type": "array", "items": OBJECT}),
    ("application/x-ndjson", {"schema": {"type": "array", "items": OBJECT}}, {"type": "array", "items": OBJECT}),
    ("text/event-stream", {"schema": OBJECT}, {"type": "array", "items": {
        "type": "object", "properties": {"event": TEXT, "id": TEXT, "data": OBJECT}}}),
    ("text/event-stream", {"schema": TEXT}, {"type": "array", "items": {
        "type": "object", "properties": {"event": TEXT, "id": TEXT, "data": True}}}),
    ("text/event-stream", {"itemSchema": {"oneOf": [{"$ref": "#/components/schemas/Event"}]}},
     {"type": "array", "items": {"oneOf": [{"type": "object", "properties": {"data": {"type": "integer"}}}]}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "entry", "expected"), READINGS)
def test_a_media_type_says_what_data_is(kind: str, entry: JsonObject, expected: Any) -> None:
    assert output({kind: entry}) == expected


def schema_of(title: str) -> JsonObject:
    return {"description": "", "content": {"application/json": {"schema": {"title": title}}}}


NULL = {"type": "null"}
SEVERAL: list[tuple[JsonObject, Any]] = [
    (
        {"200": schema_of("a"), "202": schema_of("b"), "204": {}},
        {"anyOf": [{"title": "a"}, {"title": "b"}, NULL]},
    ),
    ({"200": schema_of("a"), "201": schema_of("a")}, {"title": "a"}),
    ({"2XX": schema_of("c"), "200": schema_of("a")}, {"anyOf": [{"title": "a"}, {"title": "c"}]}),
    ({"200": schema_of("a"), "default": schema_of("b")}, {"title": "a"}),
    ({"default": schema_of("b")}, {"title": "b"}),
    ({"204": {"content": {"application/json": {"schema": {}}}}}, NULL),
    ({"200": {}}, NULL),
    ({"404": schema_of("e")}, None),
    ({}, None),
]


@pytest.mark.parametrize(("responses", "expected"), SEVERAL)
def test_every_declared_success_may_arrive(responses: JsonObject, expected: Any) -> None:
    toolset = toolset_of(document(responses))
    assert toolset.schemas(only_tool(toolset)).output == expected


def test_head_answers_nothing() -> None:
    toolset = toolset_of(document({"200": schema_of("a")}, "head"))
    assert toolset.schemas(only_tool(toolset)).output == NULL
    assert selectable_types(toolset.binding(only_tool(toolset))) == ()


def test_errors_are_described_by_status() -> None:
    responses = {
        "200": {},
        "404": schema_of("n"),
        "4XX": schema_of("x"),
        "500": {},
        "default": schema_of("d"),
    }
    toolset = toolset_of(document(responses))
    errors = toolset.schemas(only_tool(toolset)).errors
    expected = {"404": {"title": "n"}, "4XX": {"title": "x"}, "default": {"title": "d"}}
    assert errors == {"properties": expected, "$defs": {}}
    assert toolset_of(document({"default": schema_of("a")})).schemas("x.op").errors is None


# Declared types in order -> Accept, what `accept` offers.
ACCEPTS: list[tuple[list[str], str, tuple[str, ...]]] = [
    (["text/csv", "application/json", "application/xml"],
     "application/json, text/csv;q=0.9, application/xml;q=0.9, */*;q=0.1",
     ("application/json", "text/csv", "application/xml")),
    (["application/pdf"], "application/pdf, */*;q=0.1", ()),
    (["*/*"], "*/*", ()),
    (["*/*", "application/json"], "application/json, */*;q=0.8", ()),
    (["image/*", "application/json"], "application/json, image/*;q=0.9, */*;q=0.1", ()),
    (["text/csv;q=0.2", "application/json; v=2"], "application/json; v=2, text/csv;q=0.2, */*;q=0.1",
     ("application/json; v=2", "text/csv;q=0.2")),
    (["text/a\r\nX: 1"], "application/json, */*;q=0.5", ()),
    ([], "application/json, */*;q=0.5", ()),
]  # fmt: skip


@pytest.mark.parametrize(("types", "header", "offered"), ACCEPTS)
def test_accept(types: list[str], header: str, offered: tuple[str, ...]) -> None:
    _, binding = bound(document({"200": {"description": "", "content": {kind: {} for kind in types}}}))
    assert accept_header(binding, None) == header
    assert selectable_types(binding) == offered
    assert accept_header(binding, "text/csv") == "text/csv"


def test_types_of_all_successes_are_asked_for_the_described_ones_first() -> None:
    content: JsonObject = {"text/csv": {}, "application/json": {}}
    responses = {"200": {"content": content}, "202": {"content": {"application/problem+json": {}}}}
    _, binding = bound(document({**responses, "404": {"content": {"text/html": {}}}}))
    assert response_types(binding) == ("application/json", "application/problem+json", "text/csv")


def test_a_parameter_called_accept_stays_a_parameter() -> None:
    parameters = [{"name": "accept", "in": "query", "schema": {"type": "boolean"}}]
    content: JsonObject = {"200": {"content": {"text/csv": {}, "application/json": {}}}}
    toolset = toolset_of(operation("/x", parameters=parameters, responses=content))
    assert toolset.schemas("x.op").input["properties"] == {"accept": {"type": "boolean"}}


def test_swagger_types_are_what_it_produces() -> None:
    get = {
        "produces": ["text/csv", "application/json"],
        "responses": {"200": {"schema": OBJECT}, "404": {"schema": OBJECT}},
    }
    document = {"swagger": "2.0", "host": "a.example", "paths": {"/x": {"get": get}}}
    toolset = toolset_of(document)
    (tool,) = toolset.tools
    assert selectable_types(toolset.binding(tool.name)) == ("application/json", "text/csv")
    schemas = toolset.schemas(tool.name)
    assert (schemas.output, schemas.errors) == (OBJECT, {"properties": {"404": OBJECT}, "$defs": {}})


# What is declared for `200`, the status and type that arrive, whether data is declared for them.
DECLARED: list[tuple[JsonObject, int, str, bool]] = [
    ({"application/vnd.a": {"schema": OBJECT}}, 200, "application/vnd.a; v=1", True),
    ({"application/vnd.a": {"schema": OBJECT}}, 200, "application/vnd.b", False),
    ({"application/vnd.a": {"schema": OBJECT}}, 201, "application/vnd.a", False),
    ({"application/vnd.a": {"schema": BYTES}}, 200, "application/vnd.a", False),
    ({"application/vnd.a": {}}, 200, "application/vnd.a", False),
    ({"*/*": {"schema": OBJECT}}, 200, "application/octet-stream", True),
    ({"*/*": {"schema": OBJECT}, "text/plain": {"schema": TEXT}}, 200, "text/plain", False),
    ({"application/vnd.a": {"$ref": "#/components/mediaTypes/M"}}, 200, "application/vnd.a", False),
]


@pytest.mark.parametrize(("content", "status", "kind", "expected"), DECLARED)
def test_declared_data(content: JsonObject, status: int, kind: str, expected: bool) -> None:
    doc, binding = bound(document({"200": {"description": "", "content": content}}))
    assert is_data(doc, binding, status, kind) is expected


def test_declared_data_of_ranges_of_status() -> None:
    content = {"content": {"application/vnd.a": {"schema": OBJECT}}}
    for status in ("2XX", "2xx", "default"):
        doc, binding = bound(document({status: content}))
        assert is_data(doc, binding, 207, "application/vnd.a")


def test_only_what_is_declared_can_be_chosen() -> None:
    _, binding = bound(document({"200": {"content": {"text/csv": {}, "application/json; v=2": {}}}}))
    wanted: list[Any] = ["TEXT/CSV", "application/json", "application/json; v=2", "text/html", 5, None]
    assert [chosen_type(binding, one) for one in wanted] == [
        "text/csv",
        "application/json; v=2",
        "application/json; v=2",
        None,
        None,
        None,
    ]


def test_compiled_documents_keep_media_types() -> None:
    assert compiled(document({})).get("#/components/mediaTypes/M") == {"schema": {"type": "integer"}}
