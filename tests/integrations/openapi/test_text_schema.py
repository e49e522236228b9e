from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.text_schema import TextSchema, number_of, plain_number

DEFS: dict[str, Any] = {
    "Id": {"type": "integer"},
    "Loop": {"allOf": [{"$ref": "#/$defs/Loop"}]},
    "Tree": {"type": "object", "properties": {"n": {"type": "integer"}, "child": {"$ref": "#/$defs/Tree"}}},
}


def schema(*schemas: Any) -> TextSchema:
    return TextSchema(list(schemas), DEFS)


READ: list[tuple[Any, dict[str, Any]]] = [
    (
        {"type": "integer"},
        {"5": 5, "5.0": 5, "1e3": 1000, "-0": 0, "05": "05", "x": "x", "5.5": "5.5", "": ""},
    ),
    ({"type": "number"}, {"5.0": 5, "0.10": 0.1, "1e21": 1e21, "1e-7": 1e-7, "NaN": "NaN", "0x10": "0x10"}),
    ({"type": "string"}, {"5": "5", "true": "true"}),
    ({"type": "boolean"}, {"true": True, "false": False, "True": "True", "1": "1"}),
    ({"type": ["integer", "null"]}, {"5": 5, "null": "null"}),
    ({"type": ["boolean", "integer"]}, {"true": True, "5": 5}),
    ({}, {"5": "5", "true": "true"}),
    (True, {"5": "5"}),
    ({"type": ["string", "number"]}, {"5": "5", "5.0": "5.0"}),
    (
        {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["auto"]}]},
        {"5": 5, "auto": "auto", "x": "x"},
    ),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"5": 5, "5.5": 5.5}),
    ({"enum": [1, 2, True, "a"]}, {"1": 1, "1.0": 1, "2": 2, "true": True, "a": "a", "3": "3"}),
    ({"enum": [1, "1"]}, {"1": "1"}),
    ({"const": 7}, {"7": 7, "7.0": 7}),
    ({"$ref": "#/$defs/Id"}, {"5": 5}),
    ({"$ref": "#/$defs/Gone"}, {"5": "5"}),
    ({"$ref": "#/$defs/Loop"}, {"5": "5"}),
    ({"allOf": [{"$ref": "#/$defs/Id"}, {"type": ["string", "number"]}]}, {"5": 5}),
    ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, {"2": 2}),
    ({"type": "integer"}, {"12345678901234567890123": "12345678901234567890123", "9" * 500: "9" * 500}),
    ({"type": "number"}, {"0.10000000000000000001": "0.10000000000000000001", "1e999999": "1e999999"}),
]


@pytest.mark.parametrize(("declared", "readings"), READ)
def test_text_takes_the_form_that_the_schema_says(declared: Any, readings: dict[str, Any]) -> None:
    for text, value in readings.items():
        found = schema(declared).read(text)
        assert (found, type(found)) == (value, type(value)), text


def test_places_inside_follow_every_branch() -> None:
    one = schema(
        {"oneOf": [{"$ref": "#/$defs/Tree"}, {"type": "array", "prefixItems": [{"type": "boolean"}]}]}
    )
    assert one.member("child").member("child").member("n").read("5") == 5
    assert one.member("other").read("5") == "5"
    assert (one.item(0).read("true"), one.item(1).read("true")) == (True, "true")
    assert one.names() == ["n", "child"]
    assert (one.is_scalar, one.allows("array"), one.allows("string")) == (False, True, False)


def test_members_that_are_not_declared_take_the_rest() -> None:
    rest = {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}}
    assert (schema(rest).member("b").read("5"), schema(rest).member("a").read("5")) == (5, "5")
    closed = {"type": "object", "additionalProperties": False}
    assert schema(closed, rest).member("b").read("5") == 5
    assert schema({**rest, "patternProperties": {"^x": {}}}).member("b").read("5") == "5"


def test_what_branches_too_much_is_taken_for_anything() -> None:
    wide = {"allOf": [{"anyOf": [{"type": "integer"}] * 9}] * 3}
    assert schema(wide).read("5") == "5"


@pytest.mark.parametrize(
    ("text", "number"),
    [("-0.0", 0), ("18446744073709551615", 2**64 - 1), ("18446744073709551616", None), ("+1", None)],
)
def test_numbers_lose_nothing(text: str, number: float | None) -> None:
    assert number_of(text) == number


def test_numbers_have_one_form() -> None:
    assert [plain_number(value) for value in (5.0, 5.5, True, "5.0", 1e21)] == [5, 5.5, True, "5.0", 1e21]
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not a number that JSON can write"):
            plain_number(value)
