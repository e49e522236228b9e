from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.openapi.documents import operation, problems_of

TEXTUAL: list[tuple[dict[str, Any], Any, bool]] = [
    ({"type": "string"}, 5, True), ({"type": "integer"}, "5", True), ({"type": "boolean"}, "true", True),
    ({"type": "integer"}, "x", False), ({"enum": ["1", "2"]}, 1, True), ({"enum": [1, 2]}, "3", False),
    ({"type": "array", "items": {"type": "integer"}}, ["1", 2], True), ({"type": "array"}, "x", False),
    ({"type": "string", "format": "date-time"}, "whenever", True), ({"type": "string", "pattern": "^a"}, "b", False),
    ({"type": "string", "pattern": "\\p{L}"}, "b", True), ({"$ref": "#/components/schemas/Gone"}, 1, True),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "accepted"), TEXTUAL)
def test_parameters_are_compared_as_text(schema: dict[str, Any], value: Any, accepted: bool) -> None:
    gone = {"schemas": {"Gone": {"type": "integer"}}}
    document = operation(
        "/x", parameters=[{"name": "p", "in": "query", "schema": schema}], root_components=gone
    )
    assert (problems_of(document, {"p": value}) == {}) is accepted


def body(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return operation("/x", "post", requestBody={"content": {kind: {"schema": schema}}})


NODE = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "f": {"type": "string"}},
    "required": ["n"],
}


def test_json_bodies_are_compared_as_they_are_meant() -> None:
    assert problems_of(body("application/json", NODE), {"body": {"n": "1"}}) == {}
    assert problems_of(body("application/json", NODE), {"body": {"n": "1x"}}) == {
        "/body/n": 'has to be an integer, not "1x"'
    }
    assert problems_of(body("application/json", NODE), {"body": {"n": {"a": True}}}) == {
        "/body/n": "has to be an integer, not {a: true}"
    }
    assert problems_of(body("application/json", NODE), {"body": {"n": ""}}) == {
        "/body/n": 'has to be an integer, not ""'
    }
    assert "/body" in problems_of(body("application/json", NODE), {"body": {}})
    assert problems_of(body("application/json", NODE), {"body": {"n": 1}}) == {}


@pytest.mark.parametrize(
    ("required", "schema", "body_given", "fits"),
    [
        (False, NODE, None, True),
        (True, NODE, None, False),
        (False, {"type": ["object", "null"]}, None, True),
        (False, NODE, {}, False),
        (True, {"type": "object", "properties": {"rate": {"type": "string"}}}, {"rate": 0.03}, True),
    ],
)
def test_null_for_a_body_that_may_be_left_out(
    required: bool, schema: dict[str, Any], body_given: Any, fits: bool
) -> None:
    content = {"application/json": {"schema": schema}}
    document = operation("/x", "post", requestBody={"required": required, "content": content})
    assert (problems_of(document, {"body": body_given}) == {}) is fits


def test_choices_are_written_as_code_writes_them() -> None:
    schema = {"type": "object", "properties": {"kind": {"enum": ["x", True, None]}}}
    assert problems_of(body("application/json", schema), {"body": {"kind": "z"}}) == {
        "/body/kind": 'has to be one of ["x", true, null], not "z"; leave it out if you do not need it'
    }
    assert problems_of(body("application/json", schema), {"body": {"kind": ""}}) == {
        "/body/kind": 'has to be one of ["x", true, null], not ""; leave it out if you do not need it'
    }


def test_forms_are_compared_as_text_and_files_not_at_all() -> None:
    file = {"_tag": "ToolFile", "mimeType": "a/b", "encoding": "base64", "data": ""}
    assert problems_of(body("multipart/form-data", NODE), {"body": {"n": "1", "f": file}}) == {}
    assert problems_of(body("multipart/form-data", NODE), {"body": {"n": "1", "f": [file]}}) == {}
    assert "/body/n" in problems_of(body("application/x-www-form-urlencoded", NODE), {"body": {"n": "x"}})
    assert "/body" in problems_of(body("application/x-www-form-urlencoded", NODE), {"body": [1]})


def test_long_reasons_are_cut_and_many_problems_too() -> None:
    schema = {"type": "array", "items": {"enum": ["x" * 500]}}
    found = problems_of(body("application/json", schema), {"body": list(range(100))})
    assert len(found) == 20
    assert all(len(reason) < 300 for reason in found.values())


def test_xml_given_as_data_is_compared_and_as_text_is_not() -> None:
    document = body("application/xml", NODE)
    assert problems_of(document, {"body": {"n": 1}}) == {}
    assert problems_of(document, {"body": {"n": "1"}}) == {}
    assert "/body/n" in problems_of(document, {"body": {"n": "x"}})
    assert "/body" in problems_of(document, {"body": {"f": "no n"}})
    assert problems_of(document, {"body": "<node/>"}) == {}
