from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from integrations.validator import Steps, schema_errors


def messages(schema: Any, value: Any, **options: int) -> list[str]:
    return [error.message for error in schema_errors(schema, value, **options)]


@pytest.mark.parametrize(("schema", "value", "fits"), [
    (True, 1, True), (False, 1, False), ({}, 1, True), ({"type": "string"}, 1, False),
    ({"type": "string", "pattern": "^a"}, "b", False), ({"pattern": "^a"}, 1, True), ({"pattern": 5}, "a", True),
    ({"type": "string", "format": "date"}, "never", True),
    ({"patternProperties": {"^x-": {"type": "integer"}}}, {"x-a": 1, "b": "s"}, True),
    ({"patternProperties": {"^x-": {"type": "integer"}}}, {"x-a": "s"}, False),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, True),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, False),
    ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}, True),
    ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"y": 1}, False),
    ({"patternProperties": {"(?=y)": {}}, "additionalProperties": False}, {"y": 1}, True),
    ({"additionalProperties": {"type": "integer"}}, {"y": 1}, True),
    ({"additionalProperties": {"type": "integer"}}, {"y": "1"}, False),
    ({"additionalProperties": False}, [1], True),
    ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, True),
    ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"b": 1}, False),
    ({"allOf": [{"patternProperties": {"a": {}}}], "unevaluatedProperties": False}, {"b": 1}, True),
    ({"uniqueItems": True}, [1, 1], False), ({"uniqueItems": True}, [1, 2], True),
    ({"uniqueItems": True}, [{}] * 1_001, True),
    ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}}, None, True),
    ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}}, 1, False),
    ({"$ref": "#"}, 1, True), ({"$ref": "#/nowhere"}, 1, True), ({"$ref": "https://schemas.example/x"}, 1, True),
    ({"type": "nonsense"}, 1, True), ({"required": 5}, {}, True), ({"properties": []}, {"a": 1}, True),
    ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1, True),
])  # fmt: skip
def test_values(schema: Any, value: Any, fits: bool) -> None:
    assert (not messages(schema, value)) is fits


def test_messages_name_what_is_unexpected() -> None:
    assert messages({"additionalProperties": False}, {"b": 1, "c": 1}) == [
        "Additional properties are not allowed ('b', 'c' were unexpected)"
    ]


def test_t28_a_schema_that_branches_into_itself_ends() -> None:
    names = [f"A{number}" for number in range(60)]
    defs: dict[str, Any] = {
        name: {"anyOf": [{"$ref": f"#/$defs/{after}"}] * 2} for name, after in pairwise(names)
    }
    schema = {"$ref": "#/$defs/A0", "$defs": {**defs, "A59": {"type": "string"}}}
    assert messages(schema, 1, max_steps=2_000) == []


def test_steps_are_counted_over_the_whole_check() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert messages(schema, [0] * 10 + ["x"], max_steps=13)
    assert not messages(schema, [0] * 10 + ["x"], max_steps=12)


def test_looking_for_patterns_costs_steps_too() -> None:
    assert Steps({"a": [{}, {"b": 1}]}, 100).knows_all_patterns()
    assert not Steps({"a": [{"patternProperties": {}}]}, 100).knows_all_patterns()


def test_a_schema_that_is_itself_ends_before_the_stack_does() -> None:
    """Met inside native code, the recursion limit is a panic that ends the whole process."""

    def from_deep(frames: int) -> list[str]:
        return from_deep(frames - 1) if frames else messages({"$ref": "#"}, 1)

    assert from_deep(300) == []
