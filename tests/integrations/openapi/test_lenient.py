"""Requests are refused for what would surely fail; `strict` keeps a document to its words."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import InvalidArguments, JsonObject
from integrations.openapi.request import build_request
from tests.integrations.openapi.documents import only_tool, operation, toolset_of

NAME = {"type": "string"}
READ_ONLY = {"type": "integer", "readOnly": True}
SCHEMAS: JsonObject = {
    "Id": READ_ONLY,
    "Animal": {"type": "object", "additionalProperties": False, "properties": {"kind": NAME}},
    "Base": {"properties": {"id": READ_ONLY}},
    "New": {"required": ["id", "name"], "properties": {"name": NAME}},
    "Cat": {
        "allOf": [{"$ref": "#/components/schemas/Pet"}, {"required": ["claws"], "properties": {"claws": {}}}]
    },
    "Dog": {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"properties": {"barks": {"type": "boolean"}}}]},
    "Pet": {
        "type": "object",
        "properties": {"type": NAME},
        "required": ["type"],
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "type", "mapping": {"cat": "#/components/schemas/Cat"}},
    },
    "Parent": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"type": NAME},
        "discriminator": {"propertyName": "type"},
    },
    "Node": {"oneOf": [{"$ref": "#/components/schemas/Node"}, {"$ref": "#/components/schemas/Node"}]},
}


def ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def closed(**properties: Any) -> JsonObject:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def refusals(schema: Any, body: Any, validate: Any, version: str = "3.1.0") -> list[str]:
    content = {"application/json": {"schema": schema}}
    document = operation(
        "/x",
        "post",
        version,
        requestBody={"required": True, "content": content},
        root_components={"schemas": SCHEMAS},
    )
    toolset = toolset_of(document)
    try:
        build_request(toolset.closure(only_tool(toolset)), {"body": body}, None, validate=validate)
    except InvalidArguments as error:
        return [f"{one.pointer}: {one.reason}" for one in error.problems]
    return []


def accepted(schema: Any, body: Any, version: str = "3.1.0") -> tuple[bool, bool]:
    """By the lenient check, by the strict one."""
    lenient, strict = (refusals(schema, body, mode, version) for mode in ("lenient", "strict"))
    assert refusals(schema, body, "off", version) == []
    return not lenient, not strict


SENT, ONLY_LENIENT, REFUSED = (True, True), (True, False), (False, False)
OVERLAP = {"oneOf": [{"type": "number"}, {"type": "integer"}]}
CENTS = {"multipleOf": 0.01}
THREE = {"required": ["id", "name"], "properties": {"name": NAME}}
CASES: list[tuple[str, Any, Any, tuple[bool, bool]]] = [
    ("several fit", OVERLAP, 1, ONLY_LENIENT),
    ("none fits", OVERLAP, "x", REFUSED),
    # field/01
    *(("cents", CENTS, price, SENT) for price in (19.99, 0.07, 1.11, 300.52, 10001.12, 1e20, 7, True)),
    *(("cents", CENTS, price, REFUSED) for price in (19.995, 0.001, 1e-9)),
    ("a step above one", {"multipleOf": 2.5}, 7.5, SENT),
    ("a step above one", {"multipleOf": 2.5}, 8, REFUSED),
    ("exponents", {"multipleOf": 1e-6}, 1.5e-5, SENT),
    # field/02
    ("read-only", {"required": ["id"], "properties": {"id": READ_ONLY, "name": NAME}}, {"name": "x"}, SENT),
    ("read-only elsewhere", {"allOf": [{"properties": {"id": READ_ONLY}}, THREE]}, {"name": "x"}, SENT),
    ("read-only behind $ref", {**THREE, "properties": {"id": ref("Id"), "name": NAME}}, {"name": "x"}, SENT),
    ("read-only in a component", {"allOf": [ref("Base"), THREE]}, {"name": "x"}, SENT),
    ("required by a component", {"allOf": [ref("Base"), ref("New")]}, {"name": "x"}, ONLY_LENIENT),
    ("required beside allOf", {"allOf": [ref("Base")], **THREE}, {"name": "x"}, SENT),
    ("another is missing", {"allOf": [ref("Base"), THREE]}, {}, REFUSED),
    ("read-only and given", {"allOf": [closed(id=READ_ONLY)]}, {"id": 1}, ONLY_LENIENT),
    # field/03
    ("closed in allOf", {"allOf": [ref("Animal"), closed(bark={})]}, {"kind": "d", "bark": 1}, ONLY_LENIENT),
    ("closed in allOf", {"allOf": [ref("Animal"), closed(bark={})]}, {"kind": "d", "meow": 1}, REFUSED),
    ("closed beside", {**closed(), "allOf": [{"properties": {"x": NAME}}]}, {"x": "1"}, ONLY_LENIENT),
    ("closed beside", {**closed(), "allOf": [{"properties": {"x": NAME}}]}, {"y": "1"}, REFUSED),
    ("closed beside $ref", {**closed(a={}), "$ref": "#/components/schemas/Base"}, {"a": 1}, SENT),
    ("closed behind $ref", {**ref("Animal"), "properties": {"a": {}}}, {"a": 1, "kind": "x"}, ONLY_LENIENT),
    ("closed beside oneOf", {**closed(), "oneOf": [closed(a={}), closed(b={})]}, {"a": 1}, ONLY_LENIENT),
    ("not the other's", {**closed(), "oneOf": [closed(a={}), closed(b={})]}, {"a": 1, "b": 1}, REFUSED),
    ("closed further in", {"properties": {"p": {"allOf": [ref("Animal")]}}}, {"p": {"x": 1}}, REFUSED),
    ("a closed child", {"allOf": [closed(p=closed(a={})), closed(x={})]}, {"p": {"x": 1}}, REFUSED),
    ("a closed parent of others", ref("Parent"), {"type": "a", "more": 1}, ONLY_LENIENT),
    ("unevaluated", {"allOf": [ref("Base")], "unevaluatedProperties": False}, {"x": 1}, REFUSED),
    ("the mapped one", ref("Pet"), {"type": "cat", "claws": 1}, SENT),
    ("the mapped one", ref("Pet"), {"type": "cat"}, (False, True)),
    ("by its name", ref("Pet"), {"type": "Dog", "barks": 1}, (False, True)),
    ("no such one", ref("Pet"), {"type": "cow"}, SENT),
    ("null for what may be left out", {"properties": {"a": NAME}}, {"a": None}, ONLY_LENIENT),
    ("null for what is required", {"properties": {"a": NAME}, "required": ["a"]}, {"a": None}, REFUSED),
    ("null for an additional one", {"additionalProperties": closed(a={})}, {"x": None}, ONLY_LENIENT),
    ("null for an additional one", {"additionalProperties": closed(a={})}, {"x": 1}, REFUSED),
    ("null for a named one", {"additionalProperties": NAME, "required": ["x"]}, {"x": None}, REFUSED),
    # What is required and declared nowhere is left from another version, or misspelt.
    ("misspelt", {"properties": {"Id": NAME}, "required": ["id"]}, {"Id": "a"}, ONLY_LENIENT),
    (
        "misspelt and closed",
        {**closed(members={}), "required": ["levelMembers"]},
        {"members": 1},
        ONLY_LENIENT,
    ),
    (
        "declared elsewhere",
        {"allOf": [{"properties": {"b": NAME}}, {"properties": {"a": {}}, "required": ["b"]}]},
        {"a": 1},
        REFUSED,
    ),
    ("declared by no property", {"required": ["a"]}, {}, REFUSED),
    ("additional", {"properties": {"a": {}}, "additionalProperties": NAME, "required": ["b"]}, {}, REFUSED),
    (
        "by a pattern",
        {"properties": {"a": {}}, "patternProperties": {"^b": {}}, "required": ["b"]},
        {},
        REFUSED,
    ),
    (
        "required by one of several",
        {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {},
        REFUSED,
    ),
    ("null in a list", {"items": NAME}, [None], REFUSED),
    ("nullable", {"properties": {"a": {**NAME, "nullable": True}}, "required": ["a"]}, {"a": None}, SENT),
    ("delimiters", {"pattern": "/^[a-z]+$/"}, "abc", ONLY_LENIENT),
    ("delimiters", {"pattern": "/^[a-z]+$/"}, "123", REFUSED),
    ("flags", {"pattern": "/^[a-z]+$/i"}, "ABC", ONLY_LENIENT),
    ("a path", {"pattern": "/a/b"}, "/a/b", SENT),
    ("doubled", {"pattern": "^\\\\d+$"}, "12", ONLY_LENIENT),
    ("doubled", {"pattern": "^\\\\d+$"}, "ab", REFUSED),
    ("numbers as text", {"enum": ["1", "2"]}, 1, ONLY_LENIENT),
    ("no such number", {"enum": ["1", "2"]}, 3, REFUSED),
    ("true is not 1", {"enum": [1]}, True, REFUSED),
    ("null is no text", {"enum": ["null"]}, None, REFUSED),
    ("a schema that is itself", ref("Node"), 1, SENT),
]


@pytest.mark.parametrize(("what", "schema", "body", "expected"), CASES)
def test_what_is_sent(what: str, schema: Any, body: Any, expected: tuple[bool, bool]) -> None:
    assert accepted(schema, body) == expected, what


def test_nullable_beside_a_reference_in_3_0() -> None:
    """Siblings of `$ref` are ignored there; nearly every document that writes this one means it."""
    schema = {"properties": {"o": {**ref("Animal"), "nullable": True}}, "required": ["o"]}
    assert accepted(schema, {"o": None}, "3.0.3") == SENT


def test_refusals_say_what_is_wrong() -> None:
    assert refusals(CENTS, 19.995, "lenient") == ["/body: has to be a multiple of 0.01, not 19.995"]
    (missing,) = refusals(ref("Pet"), {"type": "cat"}, "lenient")
    assert missing.startswith("/body: `claws` is missing; known are `type`")
    (closing,) = refusals(closed(), {"x": 1}, "lenient")
    assert closing == "/body: `x` is not known here: leave it out; no key is known here"
