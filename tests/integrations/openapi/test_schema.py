from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject, ToolSchemas
from tests.integrations.openapi.documents import only_tool, operation, toolset_of


def schemas(document: JsonObject) -> ToolSchemas:
    toolset = toolset_of(document)
    return toolset.schemas(only_tool(toolset))


def answering(content: JsonObject, status: str = "200") -> JsonObject:
    return operation("/x", responses={status: {"description": "", "content": content}})


def test_the_argument_object_is_flat_and_closed() -> None:
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Which"},
        {"name": "q", "in": "query", "schema": {"type": "integer"}, "deprecated": True},
    ]
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {}}}
    assert schemas(operation("/x/{id}", "post", parameters=parameters, requestBody=body)).input == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Which"},
            "q": {"type": "integer", "deprecated": True},
            "body": {
                "anyOf": [
                    {"type": "object", "$comment": "application/json"},
                    {"type": "string", "$comment": "text/csv"},
                ]
            },
            "contentType": {
                "type": "string",
                "enum": ["application/json", "text/csv"],
                "default": "application/json",
            },
        },
        "additionalProperties": False,
        "required": ["id", "body"],
    }


def test_colliding_names_move_into_containers() -> None:
    parameters = [{"name": "id", "in": place, "required": place == "path"} for place in ("path", "query")]
    parameters.append({"name": "server", "in": "query", "required": False})
    found = schemas(operation("/x/{id}", parameters=parameters)).input
    assert list(found["properties"]) == ["path", "query"]
    assert list(found["properties"]["query"]["properties"]) == ["id", "server"]
    assert found["required"] == ["path"]


def test_servers_are_offered_when_there_is_a_choice() -> None:
    variables = {"v": {"default": "1", "enum": ["1", "2"]}}
    servers = [{"url": "https://a.example/{v}", "variables": variables}, {"url": "https://b.example"}]
    server = schemas(operation("/x", servers=servers)).input["properties"]["server"]["properties"]
    assert server["url"]["enum"] == ["https://a.example/{v}", "https://b.example"]
    assert server["variables"]["properties"]["v"] == {"type": "string", "default": "1", "enum": ["1", "2"]}


def test_files_in_forms_are_tool_files() -> None:
    properties = {
        "one": {"type": "string", "format": "binary"},
        "many": {"type": "array", "items": {"type": "string", "contentMediaType": "image/png"}},
        "text": {"type": "string"},
    }
    body = {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}}
    found = schemas(operation("/x", "post", requestBody=body)).input
    file = {"anyOf": [{"$ref": "#/$defs/ToolFile"}, {"type": "string"}]}
    parts = found["properties"]["body"]["properties"]
    assert (parts["one"], parts["many"]["items"], parts["text"]) == (file, file, {"type": "string"})


def test_binary_bodies_can_be_base64() -> None:
    body = {"required": True, "content": {"application/pdf": {}}}
    found = schemas(operation("/x", "post", requestBody=body)).input
    assert set(found["properties"]) == {"body", "bodyBase64"}
    assert "required" not in found


OBJECT = {"schema": {"type": "object"}}
OUTPUTS: list[tuple[JsonObject, Any]] = [
    ({"application/json": OBJECT}, {"type": "object"}),
    ({"text/csv": {}, "application/vnd.a+json": OBJECT}, {"type": "object"}),
    ({"application/json": {}}, None),
    ({"text/plain": {}}, {"type": "string"}),
    (
        {"application/x-ndjson": {"schema": {"type": "object"}}},
        {"type": "array", "items": {"type": "object"}},
    ),
    ({}, {"type": "null"}),
]


@pytest.mark.parametrize(("content", "output"), OUTPUTS)
def test_outputs(content: JsonObject, output: Any) -> None:
    assert schemas(answering(content)).output == output


def test_binary_output_is_a_tool_file() -> None:
    output = schemas(answering({"image/png": {}})).output
    assert output is not None
    assert output["$ref"] == "#/$defs/ToolFile"


def test_every_success_may_arrive() -> None:
    def described(*statuses: str) -> JsonObject:
        content = {s: {"content": {"application/json": {"schema": {"title": s}}}} for s in statuses}
        return operation("/x", responses=content)

    picks = [("404", "201", "200", "default"), ("2XX", "default"), ("default", "404"), ("404",)]
    outputs = [schemas(described(*statuses)).output for statuses in picks]
    several = {"anyOf": [{"title": "200"}, {"title": "201"}]}
    assert outputs == [several, {"title": "2XX"}, {"title": "default"}, None]


def test_swagger_outputs() -> None:
    get = {
        "operationId": "x",
        "produces": ["application/json"],
        "responses": {"200": {"schema": {"$ref": "#/definitions/A"}}},
    }
    document = {
        "swagger": "2.0",
        "paths": {"/x": {"get": get}},
        "definitions": {"A": {"type": "string", "x-nullable": True}},
    }
    output = schemas(document).output
    assert output == {"$ref": "#/$defs/A", "$defs": {"A": {"type": ["string", "null"]}}}


def test_an_xml_body_is_data_or_text() -> None:
    def shown(schema: Any) -> Any:
        body = {"content": {"application/xml": {"schema": schema}}}
        return schemas(operation("/x", "post", requestBody=body)).input["properties"]["body"]

    pet = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert shown(pet) == {"anyOf": [pet, {"type": "string"}]}
    assert shown({"type": "string"}) == {"type": "string"}
