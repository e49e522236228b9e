from __future__ import annotations

from typing import Any

import pytest

from integrations.base import InvalidArguments
from integrations.mcp.arguments import check_arguments

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "a/b": {"type": "array", "items": {"$ref": "#/$defs/x"}}},
    "required": ["n"],
    "additionalProperties": False,
    "$defs": {"x": {"type": "string"}},
}


def problems(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidArguments) as caught:
        check_arguments(schema, arguments)
    return [problem.pointer for problem in caught.value.problems]


def test_what_fits_passes() -> None:
    check_arguments(SCHEMA, {"n": 1, "a/b": ["x"]})


def test_every_problem_has_its_pointer() -> None:
    assert sorted(problems(SCHEMA, {"n": "1", "a/b": ["x", 2]})) == ["/a~1b/1", "/n"]
    assert problems(SCHEMA, {}) == [""]
    assert problems(SCHEMA, {"n": 1, "more": 2}) == [""]


def test_problems_and_reasons_are_bounded() -> None:
    found = problems(
        {"properties": {f"p{index}": False for index in range(50)}}, {f"p{i}": 1 for i in range(50)}
    )
    assert len(found) == 20
    with pytest.raises(InvalidArguments) as caught:
        check_arguments({"properties": {"a": {"type": "integer"}}}, {"a": "x" * 10_000})
    assert len(caught.value.problems[0].reason) < 300


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"pattern": "(a+)+$"}}},
        {"$ref": "#"},
    ],
)
def test_a_schema_that_cannot_be_applied_says_nothing(schema: dict[str, Any]) -> None:
    check_arguments(schema, {"a": "a" * 60 + "b"} if "properties" not in schema else {"a": 5})
