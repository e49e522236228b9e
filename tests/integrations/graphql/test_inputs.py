from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from integrations.base import JsonObject
from integrations.graphql.inputs import input_schema
from tests.integrations.graphql.server import schema


def of(field: str, kind: str = "query", select: JsonObject | None = None) -> JsonObject:
    return input_schema(schema(), schema().types[schema().root(kind)].fields[field].arguments, select)


def test_arguments_are_a_closed_object() -> None:
    out = of("user", select={"type": "string"})
    assert out["required"] == ["id"]
    assert out["additionalProperties"] is False
    assert list(out["properties"]) == ["id", "at", "select"]
    assert out["properties"]["at"]["type"] == ["string", "null"]
    assert of("me") == {"type": "object", "properties": {}, "additionalProperties": False}


def test_defaults_and_lists() -> None:
    properties = of("users")["properties"]
    assert properties["first"] == {"type": ["integer", "null"], "default": 10}
    assert properties["roles"] == {"type": ["array", "null"], "items": {"$ref": "#/$defs/Role"}}
    assert of("createUser", "mutation")["$defs"]["NewUser"]["properties"]["role"]["default"] == "MEMBER"


def test_recursive_input_objects_are_references() -> None:
    out = of("posts")
    assert set(out["$defs"]) == {"PostFilter", "Role"}
    assert out["$defs"]["PostFilter"]["properties"]["and"]["items"] == {"$ref": "#/$defs/PostFilter"}


def test_one_of_input_objects_take_one_member() -> None:
    definition = of("userBy")["$defs"]["Key"]
    assert [(list(one["properties"]), one["required"]) for one in definition["oneOf"]] == [
        (["id"], ["id"]),
        (["login"], ["login"]),
    ]


@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_every_input_schema_is_a_json_schema(kind: str) -> None:
    for name in schema().types[schema().root(kind)].fields:
        Draft202012Validator.check_schema(of(name, kind))
