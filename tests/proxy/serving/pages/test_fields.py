"""From a schema to fields, and from what was typed to content."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.serving.pages.fields import FormField, fields_of, read_fields


def only(body: dict[str, Any], *, required: bool = True) -> FormField:
    fields = fields_of({"properties": {"x": body}, "required": ["x"] if required else []})
    assert fields is not None
    (one,) = fields
    return one


@pytest.mark.parametrize(
    ("body", "typed", "value"),
    [
        ({"type": "string"}, ["a b"], "a b"),
        ({"type": "string", "format": "email"}, ["a@b.example"], "a@b.example"),
        ({"type": "integer"}, ["12"], 12),
        ({"type": "integer"}, ["9007199254740993"], 9007199254740993),
        (
            {"type": "integer"},
            [" 123456789012345678901234567890123456789012345 "],
            123456789012345678901234567890123456789012345,
        ),
        ({"type": "number"}, ["1.5"], 1.5),
        ({"type": "number"}, ["9007199254740993"], 9007199254740993),
        ({"type": "boolean"}, ["on"], True),
        ({"type": "boolean"}, [], False),
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]}, ["1"], "b"),
        ({"oneOf": [{"const": "x", "title": "X"}, {"const": 5}]}, ["1"], 5),
        ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, ["0", "2"], ["a", "c"]),
        ({"type": "array", "items": {"anyOf": [{"const": "a"}]}, "maxItems": 1}, ["0"], ["a"]),
    ],
)
def test_each_kind_is_read_as_its_type(body: dict[str, Any], typed: list[str], value: Any) -> None:
    filled = read_fields([only(body)], {"x": typed})
    assert not filled.has_errors
    assert filled.content == {"x": value}
    assert type(filled.content["x"]) is type(value)


@pytest.mark.parametrize(
    ("body", "typed"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 3}, "ab"),
        ({"type": "string", "maxLength": 3}, "abcd"),
        ({"type": "string"}, "x" * 9000),
        ({"type": "integer"}, "1.5"),
        ({"type": "integer", "minimum": 2}, "1"),
        ({"type": "number", "maximum": 2}, "2.5"),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "1e999"),
        ({"type": "number"}, "9007199254740993.5"),
        ({"enum": ["a"]}, "1"),
        ({"enum": ["a"]}, "a"),
        ({"enum": ["a"]}, "-1"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "7"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}, "0"),
    ],
)
def test_what_does_not_fit_is_marked_and_kept(body: dict[str, Any], typed: str) -> None:
    filled = read_fields([only(body)], {"x": [typed]})
    assert filled.has_errors
    assert filled.fields[0].error
    assert filled.fields[0].values == (typed,)
    assert "x" not in filled.content


def test_optional_fields_left_empty_are_left_out() -> None:
    fields = [only({"type": kind}, required=False) for kind in ("string", "integer")]
    assert read_fields(fields, {"x": [""]}).content == {}
    choices = only({"type": "array", "items": {"enum": ["a"]}}, required=False)
    assert read_fields([choices], {}).content == {}


def test_defaults_are_shown() -> None:
    assert only({"type": "string", "default": "d"}).values == ("d",)
    assert only({"type": "integer", "default": 3}).values == ("3",)
    assert only({"type": "boolean", "default": True}).values == ("on",)
    assert only({"enum": ["a", "b"], "default": "b"}).values == ("1",)
    assert only({"type": "array", "items": {"enum": ["a", "b"]}, "default": ["b"]}).values == ("1",)


@pytest.mark.parametrize(
    "body", [{"type": "object"}, {"type": "array", "items": {"type": "string"}}, {}, "text", None]
)
def test_what_cannot_be_asked_is_left_out_unless_it_is_required(body: Any) -> None:
    assert fields_of({"properties": {"x": body}}) == ()
    assert fields_of({"properties": {"x": body}, "required": ["x"]}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": []},
        {"properties": {}, "required": ["x"]},
        {"properties": {str(n): {} for n in range(99)}},
    ],
)
def test_a_schema_that_is_no_simple_form_is_none(schema: dict[str, Any]) -> None:
    assert fields_of(schema) is None
