from __future__ import annotations

from typing import Any

import pytest

from proxy.calls.page_arguments import given, schema_of, typed, with_values

PAGE = {"page": {"type": "integer"}}
CONTAINED = {
    "id": {},
    "query": {"type": "object", "properties": {"id": {"type": "string"}, "page": {"type": "integer"}}},
}


@pytest.mark.parametrize(
    ("value", "schema", "made"),
    [
        ("2", {"type": "integer"}, 2),
        ("-2", {"type": ["null", "integer"]}, -2),
        ("two", {"type": "integer"}, "two"),
        ("9" * 30, {"type": "integer"}, "9" * 30),
        ("true", {"type": "boolean"}, True),
        ("yes", {"type": "boolean"}, "yes"),
        ("2", {"type": "string"}, "2"),
        (2, {"type": "string"}, "2"),
        (2, {"type": "integer"}, 2),
        ("a", {"type": "array"}, ["a"]),
        (["1", "2"], {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("x", {}, "x"),
        ("x", None, "x"),
        ("x", True, "x"),
    ],
)
def test_texts_become_what_the_argument_is(value: Any, schema: Any, made: Any) -> None:
    assert typed(value, schema) == made


def test_arguments_stay_where_the_caller_had_them() -> None:
    assert with_values({"a": 1, "page": 1}, {"page": "2"}, PAGE) == {"a": 1, "page": 2}
    assert with_values({"query": {"page": 1, "id": "x"}}, {"page": "2"}, CONTAINED) == {
        "query": {"page": 2, "id": "x"}
    }
    assert with_values({}, {"page": "2"}, CONTAINED) == {"query": {"page": 2}}


def test_the_caller_s_arguments_are_not_changed() -> None:
    arguments = {"query": {"page": 1}}
    with_values(arguments, {"page": "2"}, CONTAINED)
    assert arguments == {"query": {"page": 1}}


def test_schemas_and_values_are_found_in_the_container() -> None:
    assert schema_of(CONTAINED, "page") == {"type": "integer"}
    assert schema_of(PAGE, "nothing") is None
    assert (given({"query": {"page": 3}}, "page"), given({"page": 4}, "page"), given({}, "page")) == (
        3,
        4,
        None,
    )
