"""A base whose discriminator lists no children shows those that extend it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.inheritance import descendants
from integrations.schema_types import render_tool_types
from tests.integrations.openapi.documents import only_tool, toolset_of


def child(parent: str, **beside: Any) -> JsonObject:
    return {"allOf": [{"$ref": f"#/AT/{parent}"}], **beside}


BASE = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
FAMILY = {
    "Cat": child("Pet", properties={"claws": {"type": "integer"}}),
    "Dog": child("Pet", properties={"bark": {"type": "boolean"}}),
    "Puppy": child("Dog", properties={"age": {"type": "integer"}}),
    "Stone": {"type": "object", "allOf": [{"type": "object"}]},
}


def document(version: str, pet: JsonObject, more: JsonObject) -> JsonObject:
    body: JsonObject = {"$ref": "#/AT/Pet"}
    info = {"title": "t", "version": "1"}
    schemas = {"Pet": pet, **FAMILY, **more}
    content = {"application/json": {"schema": body}}
    if version == "2.0":
        post: JsonObject = {
            "parameters": [{"in": "body", "name": "body", "schema": body}],
            "responses": {"200": {"description": "", "schema": {"type": "array", "items": body}}},
        }
        whole: JsonObject = {"swagger": "2.0", "host": "a.example", "definitions": schemas}
        at = "definitions"
    else:
        post = {
            "requestBody": {"content": content},
            "responses": {"200": {"description": "", "content": content}},
        }
        whole = {
            "openapi": version,
            "servers": [{"url": "https://a.example"}],
            "components": {"schemas": schemas},
        }
        at = "components/schemas"
    whole |= {"info": info, "paths": {"/p": {"post": {"operationId": "op", **post}}}}
    replaced: JsonObject = json.loads(json.dumps(whole).replace("#/AT/", f"#/{at}/"))
    return replaced


ALL = 'type Pet = Cat /* kind: "Cat" */ | Dog /* kind: "Dog" */ | Puppy /* kind: "Puppy" */;'
ANSWERS = 'type Pet = Bird /* kind: "bird" */;'


@pytest.mark.parametrize(
    ("version", "discriminator", "more", "shown"),
    [
        ("2.0", "kind", {}, ALL),
        ("3.0.3", {"propertyName": "kind"}, {}, ALL),
        ("3.1.0", {"propertyName": "kind"}, {}, ALL),
        ("3.1.0", {"propertyName": "kind", "mapping": {}}, {}, ALL),
        (
            "2.0",
            "kind",
            {"Cat": child("Pet", **{"x-ms-discriminator-value": "#felis"})},
            'Cat /* kind: "#felis" */',
        ),
        (
            "3.0.3",
            {"propertyName": "kind", "mapping": {"bird": "#/AT/Bird"}},
            {"Bird": child("Pet", properties={"wings": {"type": "integer"}})},
            ANSWERS,
        ),
    ],
)
def test_the_children_are_shown(version: str, discriminator: Any, more: JsonObject, shown: str) -> None:
    toolset = toolset_of(document(version, {**BASE, "discriminator": discriminator}, more))
    tool = only_tool(toolset)
    types = render_tool_types(tool, toolset.outline(tool), 4_096)
    assert shown in types.definitions
    assert "Stone" not in types.definitions
    if shown == ALL:
        assert "type PetBase = {\n  kind: string;\n};" in types.definitions
        assert "claws" in types.definitions
        assert "age" in types.definitions


def test_a_circle_of_parents_ends() -> None:
    found = descendants(
        {
            "#/definitions/A": child("B"),
            "#/definitions/B": child("A"),
        }.items()
    )
    assert "#/AT/A" in found
    assert descendants([("#/d/C", {"allOf": "no list"})]) == {}
