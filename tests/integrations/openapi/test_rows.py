from __future__ import annotations

from typing import Any

from integrations.base import JsonObject
from integrations.openapi.operations import find_operations
from integrations.openapi.rows import make_rows


def rows(paths: JsonObject) -> list[list[Any]]:
    document: JsonObject = {"openapi": "3.1.0", "paths": paths}
    return make_rows(document, find_operations(document, lambda _: None))


def test_rows_hold_what_a_catalog_needs() -> None:
    operation = {
        "operationId": "pets/list", "tags": ["pets"], "summary": "List pets", "description": "All of them.",
        "deprecated": True, "parameters": [{"name": "limit", "in": "query"}],
    }  # fmt: skip
    assert rows({"/pets": {"get": operation, "parameters": [{"name": "trace", "in": "header"}]}}) == [
        ["pets.list", "get", "/pets", "List pets", "All of them.", "pets/list", True, "pets trace limit"]
    ]


def test_a_title_is_always_there() -> None:
    described = {"get": {"description": "First line.\nMore"}, "post": {}}
    assert [row[3] for row in rows({"/a": described})] == ["First line.", "POST /a"]


def test_a_name_given_by_the_document_wins() -> None:
    assert rows({"/a": {"get": {"x-executor-toolPath": " my.tool "}}})[0][0] == "my.tool"


def test_odd_values_do_no_harm() -> None:
    odd = {
        "operationId": 5,
        "tags": "no list",
        "summary": ["x"],
        "parameters": {"no": "list"},
        "deprecated": "yes",
    }
    assert rows({"/a": {"get": odd}}) == [["a.getA", "get", "/a", "['x']", "", None, False, ""]]
