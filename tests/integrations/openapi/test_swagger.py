from __future__ import annotations

import pytest

from integrations.base import JsonObject
from integrations.openapi.swagger import swagger_body, swagger_parameter


def field(name: str, **more: object) -> JsonObject:
    return {"name": name, "in": "formData", "type": "string", **more}


@pytest.mark.parametrize(("collection", "explode", "delimiter"), [
    (None, False, ","), ("csv", False, ","), ("ssv", False, " "), ("tsv", False, "\t"), ("pipes", False, "|"),
    ("multi", True, None), ("odd", False, ","),
])  # fmt: skip
def test_collection_formats(collection: str | None, explode: bool, delimiter: str | None) -> None:
    entry = {"name": "a", "in": "query", "type": "array", "items": {"type": "string"}}
    bound = swagger_parameter(entry | ({"collectionFormat": collection} if collection else {}), "query")
    assert (bound.explode, bound.delimiter) == (explode, delimiter)
    assert bound.schema["type"] == "array"


def test_multi_is_for_queries_only() -> None:
    bound = swagger_parameter(
        {"name": "a", "in": "header", "type": "array", "collectionFormat": "multi"}, "header"
    )
    assert (bound.explode, bound.delimiter) == (False, ",")


@pytest.mark.parametrize(("consumes", "types"), [
    ([], ["application/json"]), (["*/*"], ["application/json"]),
    (["application/xml", "application/json"], ["application/xml", "application/json"]),
    (["multipart/form-data", "application/json"], ["application/json"]),
    (["application/x-www-form-urlencoded"], ["application/x-www-form-urlencoded"]),
])  # fmt: skip
def test_a_body_parameter(consumes: list[str], types: list[str]) -> None:
    body = swagger_body(
        [{"name": "anything", "in": "body", "required": True, "schema": {"type": "object"}}], consumes
    )
    assert body is not None
    assert body.required
    assert [media.type for media in body.media] == types


@pytest.mark.parametrize(("fields", "consumes", "types"), [
    ([field("a")], [], ["application/x-www-form-urlencoded"]),
    ([field("a")], ["multipart/form-data"], ["multipart/form-data"]),
    ([field("a", type="file")], [], ["multipart/form-data"]),
    ([field("a", type="file")], ["application/x-www-form-urlencoded"], ["multipart/form-data"]),
])  # fmt: skip
def test_form_fields_become_one_body(fields: list[JsonObject], consumes: list[str], types: list[str]) -> None:
    body = swagger_body(fields, consumes)
    assert body is not None
    assert [media.type for media in body.media] == types
    assert set(body.media[0].schema["properties"]) == {"a"}


def test_fields_keep_what_is_said_of_them() -> None:
    body = swagger_body([field("a", required=True, description="What"), field("b", type="array")], [])
    assert body is not None
    assert body.required
    schema = body.media[0].schema
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"]["description"] == "What"
    assert body.media[0].encoding == {"b": {"x-collection": "csv"}}


def test_no_body() -> None:
    assert swagger_body([{"name": "q", "in": "query", "type": "string"}], ["application/json"]) is None
