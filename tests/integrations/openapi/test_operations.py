from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.operations import find_operations, make_rows, resolve
from integrations.openapi.vocabulary import Vocabulary
from tests.integrations.openapi.documents import compiled


def document(paths: JsonObject, **more: Any) -> JsonObject:
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths, **more}


def answering(name: str) -> JsonObject:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"get": {"operationId": name, "responses": {"200": {"description": "", "content": content}}}}


def found(paths: JsonObject) -> list[tuple[str, str]]:
    return [(one.path, one.method) for one in find_operations(document(paths), lambda _: None)]


def test_webhooks_callbacks_and_extensions_are_no_operations() -> None:
    callbacks = {"c": {"/x": {"post": {"operationId": "no"}}}}
    assert found({"/a": {"get": {"callbacks": callbacks}}, "x-b": {"get": {}}}) == [("/a", "get")]


def test_openapi_3_2_methods() -> None:
    assert found({"/a": {"query": {}, "additionalOperations": {"COPY": {}}}}) == [
        ("/a", "query"),
        ("/a", "COPY"),
    ]


@pytest.mark.parametrize("paths", [None, [], {"/a": None}, {"/a": []}, {"/a": {"additionalOperations": []}}])
def test_odd_documents_have_none(paths: Any) -> None:
    assert found(paths) == []


def test_a_broken_path_item_is_a_warning() -> None:
    doc = compiled(document({"/a": {"$ref": "#/components/pathItems/No"}, "/b": {"get": {}}}))
    assert [row[2] for row in doc.rows] == ["/b"]
    assert doc.warnings == ("test#/paths/~1a: the path item cannot be read",)


def test_a_broken_reference_disables_one_operation_and_says_which() -> None:
    schemas = {
        "Good": {"properties": {"g": {"$ref": "#/components/schemas/Good"}}},
        "Bad": {"items": {"$ref": "#/components/schemas/Worse"}},
        "Worse": {"$ref": "#/components/schemas/Gone"},
        "Unused": {"$ref": "#/components/schemas/Nowhere"},
    }
    paths = {"/good": answering("Good"), "/bad": answering("Bad"), "/direct": answering("Absent")}
    doc = compiled(document(paths, components={"schemas": schemas}))
    assert [row[2] for row in doc.rows] == ["/good"]
    assert doc.warnings == (
        "test#/paths/~1bad/get: left out: #/components/schemas/Gone does not exist"
        " (referred to by #/components/schemas/Worse)",
        "test#/paths/~1direct/get: left out: #/components/schemas/Absent does not exist",
    )


def test_a_broken_parameter_of_the_path_item_disables_its_operations() -> None:
    item = {"parameters": [{"$ref": "#/components/parameters/No"}], "get": {}, "put": {}}
    doc = compiled(document({"/a": item, "/b": {"get": {}}}))
    assert ([row[2] for row in doc.rows], len(doc.warnings)) == (["/b"], 2)


def test_circles_of_references_end() -> None:
    ring: JsonObject = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert resolve(ring, ring["a"]) is None
    assert resolve({"a": {"x": 1}}, {"$ref": "#/a", "y": 2}) == {"x": 1, "y": 2}


def rows(paths: JsonObject) -> list[list[Any]]:
    document: JsonObject = {"openapi": "3.1.0", "paths": paths}
    return make_rows(find_operations(document, lambda _: None), Vocabulary(document).keywords)


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
