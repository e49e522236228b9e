from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integrations.openapi.dialect import Definitions, Dialect, Direction
from tests.integrations.openapi.documents import compiled

SCHEMAS = {
    "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}},
    "a/b": {"type": "string"},
    "ToolFile": {"type": "integer"},
}


def convert(
    schema: Any, version: str = "3.1.0", direction: Direction = "request"
) -> tuple[Any, dict[str, Any]]:
    doc = compiled({"openapi": version, "paths": {}, "components": {"schemas": SCHEMAS}})
    dialect = Dialect(doc, direction)
    converted = dialect.convert(schema)
    return converted, dict(dialect.defs)


OLD: list[tuple[Any, Any]] = [
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
    (
        {"oneOf": [{"type": "string"}], "nullable": True},
        {"anyOf": [{"oneOf": [{"type": "string"}]}, {"type": "null"}]},
    ),
    ({"nullable": True}, {}),
    ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
    ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
    ({"$ref": "#/components/schemas/Node", "description": "ignored"}, {"$ref": "#/$defs/Node"}),
]


@pytest.mark.parametrize(("schema", "result"), OLD)
def test_the_dialect_of_3_0(schema: Any, result: Any) -> None:
    assert convert(schema, "3.0.3")[0] == result


DISCRIMINATED = {"discriminator": {"propertyName": "x"}}
NEW: list[tuple[Any, Any]] = [
    (
        {"$ref": "#/components/schemas/Node", "description": "kept"},
        {"$ref": "#/$defs/Node", "description": "kept"},
    ),
    (
        {"type": ["string", "null"], "exclusiveMinimum": 1},
        {"type": ["string", "null"], "exclusiveMinimum": 1},
    ),
    ({"nullable": True, "type": "string"}, {"type": ["string", "null"]}),
    ({"nullable": True, "type": ["string", "null"]}, {"type": ["string", "null"]}),
    (
        {"nullable": True, "$ref": "#/components/schemas/Node"},
        {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    ),
    ({"type": "string", "enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a", None]}),
    ({"discriminator": {"propertyName": "x"}, "xml": {}, "x-a": 1, "example": 1}, DISCRIMINATED),
    ({"discriminator": "x"}, DISCRIMINATED),
    ({"discriminator": {"mapping": {}}}, {}),
    (
        {"discriminator": {"propertyName": "x", "mapping": {"n": "Node", "gone": "other.yaml#/A"}}},
        {"discriminator": {"propertyName": "x", "mapping": {"n": "#/$defs/Node"}}},
    ),
    (
        {"discriminator": {"propertyName": "x"}, "oneOf": [{"$ref": "#/components/schemas/Node"}]},
        {
            "discriminator": {"propertyName": "x", "mapping": {"Node": "#/$defs/Node"}},
            "oneOf": [{"$ref": "#/$defs/Node"}],
        },
    ),
    ({"type": "any"}, {}),
    ({"pattern": "\\p{L}+"}, {"pattern": "\\p{L}+"}),
    ({"type": "string", "enum": [True, False]}, {"enum": [True, False]}),
    ({"type": ["string", "null"], "enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a", None]}),
    ({"type": "integer", "enum": ["1"]}, {"enum": ["1"]}),
    ({"pattern": "(?=a)b"}, {"pattern": "(?=a)b"}),
    ({"pattern": "a" * 5000}, {}),
    ({"pattern": "^a"}, {"pattern": "^a"}),
    ({"minLength": "3", "enum": [], "required": True, "multipleOf": 0, "format": 1}, {}),
    ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
    ({"properties": {"example": {"type": "string"}}}, {"properties": {"example": {"type": "string"}}}),
    (True, True),
    (None, True),
    ([], True),
]


@pytest.mark.parametrize(("schema", "result"), NEW)
def test_2020_12(schema: Any, result: Any) -> None:
    assert convert(schema)[0] == result


def test_recursion_stays_a_reference_and_names_do_not_collide() -> None:
    schema = {"anyOf": [{"$ref": f"#/components/schemas/{n}"} for n in ("Node", "a~1b", "ToolFile", "Gone")]}
    converted, defs = convert(schema)
    assert [option["$ref"] for option in converted["anyOf"]] == [
        f"#/$defs/{n}" for n in ("Node", "a_b", "ToolFile_2", "Gone")
    ]
    assert defs["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert defs["Gone"] is True
    Draft202012Validator.check_schema({**converted, "$defs": defs})


@pytest.mark.parametrize(("direction", "left"), [("request", "w"), ("response", "r")])
def test_read_only_and_write_only(direction: Direction, left: str) -> None:
    schema = {
        "properties": {"r": {"type": "string", "readOnly": True}, "w": {"type": "string", "writeOnly": True}},
        "required": ["r", "w"],
    }
    converted = convert(schema, direction=direction)[0]
    assert (list(converted["properties"]), converted["required"]) == ([left], [left])


def test_swagger_files() -> None:
    converted, defs = convert({"type": "file"}, "3.0.0")
    assert converted == {"$ref": "#/$defs/ToolFile"}
    assert defs["ToolFile"]["properties"]["_tag"] == {"const": "ToolFile"}


def test_definitions_are_converted_when_they_are_looked_up() -> None:
    made: list[str] = []

    def convert(reference: str) -> Any:
        made.append(reference)
        if reference == "#/a":
            definitions.add("B", "#/b")
        return {"from": reference}

    definitions = Definitions(convert)
    assert not definitions
    definitions.add("A", "#/a")
    definitions.put("F", True)
    assert (bool(definitions), made) == (True, [])
    assert definitions["A"] == {"from": "#/a"}
    assert (definitions["A"], made) == ({"from": "#/a"}, ["#/a"])
    assert dict(definitions) == {"A": {"from": "#/a"}, "F": True, "B": {"from": "#/b"}}
    assert (len(definitions), made) == (3, ["#/a", "#/b"])


def test_nothing_is_converted_for_a_call_that_does_not_need_it() -> None:
    schemas = {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"type": "string"}}
    doc = compiled({"openapi": "3.1.0", "paths": {}, "components": {"schemas": schemas}})
    dialect = Dialect(doc, "request")
    assert dialect.convert({"$ref": "#/components/schemas/A"}) == {"$ref": "#/$defs/A"}
    assert set(dialect.defs) == {"A", "B"}
