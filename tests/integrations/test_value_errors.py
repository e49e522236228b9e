"""Recipes 02, 03 and 17 from the other side: what a refusal says of a value."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.lenient import LENIENT
from integrations.schema_places import keys_at
from integrations.validator import schema_errors
from integrations.value_errors import problem_of

ITEM = {
    "type": "object", "required": ["url"], "additionalProperties": False,
    "properties": {"url": {"type": "string"}, "events": {"type": "array"}},
}  # fmt: skip
ID = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
ROOT: dict[str, Any] = {
    "$defs": {"Item": ITEM, "Base": {"properties": {"kind": {"type": "string"}}, "required": ["kind"]}},
    "type": "object",
    "allOf": [{"$ref": "#/$defs/Base"}],
    "properties": {
        "size": {"type": "integer"},
        "note": {"type": ["string", "null"]},
        "state": {"enum": ["open", None, True, 5]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "maxItems": 2, "uniqueItems": True},
        "code": {"type": "string", "minLength": 2, "maxLength": 3},
        "word": {"type": "string", "pattern": "^a"},
        "price": {"type": "number", "minimum": 1, "exclusiveMaximum": 9, "multipleOf": 0.5},
        "label": {"anyOf": [{"type": "string"}, ID]},
        "fixed": {"const": "k"},
        "never": {"not": {"type": "string"}},
        "few": {"type": "object", "minProperties": 1},
        "flag": {"type": "boolean"},
    },
    "required": ["size"],
}  # fmt: skip
OUT = "; leave it out if you do not need it"
KEYS = (
    "known are `size`, `note?`, `state?`, `items?`, `code?`, `word?`, `price?`, `label?`, `fixed?`, `never?`, "
    "`few?`, `flag?`, `kind`"
)
# The value beside `size` and `kind`, where it is wrong, what is said.
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"size": "x"}, "/size", 'has to be an integer, not "x"'),
    ({"size": None}, "/size", "has to be an integer, not null"),
    ({"size": {"a": 1}}, "/size", "has to be an integer, not {a: 1}"),
    ({"kind": 5}, "/kind", "has to be a string, not 5"),
    ({"note": True}, "/note", f"has to be a string or null, not true{OUT}"),
    ({"flag": "yes"}, "/flag", f'has to be true or false, not "yes"{OUT}'),
    ({"state": ""}, "/state", f'has to be one of ["open", null, true, 5], not ""{OUT}'),
    ({"items": [{"url": "u"}] * 2}, "/items",
     f'has to have each item once only, unlike [{{url: "u"}}, {{url: "u"}}]{OUT}'),
    ({"items": [{}]}, "/items/0", "`url` is missing; known are `url`, `events?`"),
    ({"items": [{"url": "u", "w": 1}]}, "/items/0", "`w` is not known here: leave it out; known are `url`, `events?`"),
    ({"items": [{"url": "u", "v": 1, "w": 1}]}, "/items/0",
     "`v`, `w` are not known here: leave them out; known are `url`, `events?`"),
    ({"items": [{"url": "u", "events": {}}]}, "/items/0/events", f"has to be an array, not {{}}{OUT}"),
    ({"items": ["s"]}, "/items/0", 'has to be an object, not "s"'),
    ({"code": "x"}, "/code", f'has to have at least 2 characters, not 1: "x"{OUT}'),
    ({"code": "xxxx"}, "/code", f'has to have at most 3 characters, not 4: "xxxx"{OUT}'),
    ({"word": "b"}, "/word", f'has to match /^a/, unlike "b"{OUT}'),
    ({"price": 0.5}, "/price", f"has to be at least 1, not 0.5{OUT}"),
    ({"price": 9}, "/price", f"has to be less than 9, not 9{OUT}"),
    ({"price": 1.7}, "/price", f"has to be a multiple of 0.5, not 1.7{OUT}"),
    ({"label": {"id": "x"}}, "/label/id", 'has to be an integer, not "x"'),
    ({"fixed": "z"}, "/fixed", f'has to be "k", not "z"{OUT}'),
    ({"never": "s"}, "/never", f'is what may not be given here: "s"{OUT}'),
    ({"few": {}}, "/few", f"has to have at least 1 keys, not 0: {{}}{OUT}"),
    ({"size": ...}, "", f"`size` is missing; {KEYS}"),
    ({"kind": ...}, "", f"`kind` is missing; {KEYS}"),
]  # fmt: skip


def said(root: Any, value: Any, keywords: Any = None) -> dict[str, str]:
    found = [problem_of(root, error) for error in schema_errors(root, value, keywords=keywords)]
    return {one.pointer: one.reason for one in found}


@pytest.mark.parametrize(("value", "pointer", "reason"), CASES)
def test_a_refusal_speaks_like_the_code(value: dict[str, Any], pointer: str, reason: str) -> None:
    whole = {"size": 1, "kind": "k", **value}
    whole = {key: item for key, item in whole.items() if item is not ...}
    assert said(ROOT, whole) == {pointer: reason}
    assert said(ROOT, whole, LENIENT) in ({pointer: reason}, {})


def test_a_choice_is_shown_as_a_type() -> None:
    choice = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    assert said(choice, {"a": 1})[""].startswith("has to be string | string[], not {a: 1}")
    both = {"oneOf": [{"type": "string"}, {"minLength": 1}]}
    assert said(both, "x") == {"": 'fits more than one of the choices: "x"'}


def test_unevaluated_keys_are_named() -> None:
    schema = {"properties": {"a": True}, "unevaluatedProperties": False}
    assert said(schema, {"b": 1}) == {"": "`b` is not known here: leave it out; known are `a?`"}


def test_a_key_that_only_one_part_of_all_of_has() -> None:
    closed = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    schema = {"allOf": [closed, {"type": "object", "properties": {"b": {}}}]}
    contradicts = (
        "the schema contradicts itself about `b`: one part declares it, another part allows only `a`"
    )
    assert said(schema, {"a": 1, "b": 2}) == {"": contradicts}
    unknown = "`c` is not known here: leave it out; known are `a?`, `b?`"
    assert said(schema, {"a": 1, "c": 2}) == {"": unknown}


def test_the_value_as_a_whole_may_be_left_out() -> None:
    (error,) = schema_errors({"enum": ["a"]}, "")
    assert problem_of({}, error, "/query", optional=True).reason == f'has to be one of ["a"], not ""{OUT}'


def test_every_key_is_listed_and_the_list_is_bounded() -> None:
    many = {"additionalProperties": False, "properties": {f"property{n}": True for n in range(400)}}
    reason = said(many, {"x": 1})[""]
    assert reason.count("`property") > 50
    assert reason.endswith(f"... {400 - reason.count('`property')} more")
    assert len(reason) < 1_200


def test_a_schema_that_refers_to_itself_ends() -> None:
    root = {"$ref": "#", "allOf": [{"$ref": "#"}], "properties": {"a": {"$ref": "#"}}}
    assert keys_at(root, ["a", "a", "b"]).known == ()
    assert keys_at(root, ["a"]).known == ("a",)
