from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from integrations.base import JsonObject
from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from tests.integrations.openapi.documents import compiled


def document(paths: JsonObject, **more: Any) -> JsonObject:
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths, **more}


def names(doc: Doc) -> list[str]:
    return [row[0] for row in doc.rows]


def test_rows_hold_what_a_catalog_needs() -> None:
    operation = {
        "operationId": "pets/list", "tags": ["pets"], "summary": "List pets", "description": "All of them.",
        "deprecated": True, "parameters": [{"name": "limit", "in": "query"}],
    }  # fmt: skip
    doc = compiled(document({"/pets": {"get": operation, "parameters": [{"name": "trace", "in": "header"}]}}))
    assert doc.rows == [
        ["pets.list", "get", "/pets", "List pets", "All of them.", "pets/list", True, "pets trace limit"]
    ]


def test_webhooks_callbacks_and_extensions_are_no_operations() -> None:
    paths = {
        "/a": {"get": {"operationId": "a", "callbacks": {"c": {"/x": {"post": {"operationId": "no"}}}}}},
        "x-b": {"get": {}},
    }
    doc = compiled(document(paths, webhooks={"w": {"post": {"operationId": "no"}}}))
    assert names(doc) == ["a.getOperation"]


def test_openapi_3_2_methods() -> None:
    doc = compiled(
        document(
            {
                "/a": {
                    "query": {"operationId": "find"},
                    "additionalOperations": {"COPY": {"operationId": "copy"}},
                }
            }
        )
    )
    assert [row[1] for row in doc.rows] == ["query", "COPY"]


def test_a_broken_reference_disables_one_operation() -> None:
    def answering(name: str) -> JsonObject:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return {"get": {"operationId": name, "responses": {"200": {"description": "", "content": content}}}}

    schemas = {
        "Good": {"properties": {"g": {"$ref": "#/components/schemas/Good"}}},
        "Bad": {"$ref": "#/components/schemas/Gone"},
    }
    doc = compiled(
        document({"/good": answering("Good"), "/bad": answering("Bad")}, components={"schemas": schemas})
    )
    assert [row[2] for row in doc.rows] == ["/good"]
    (warning,) = doc.warnings
    assert "#/paths/~1bad/get" in warning
    assert "#/components/schemas/Gone" in warning


def test_a_broken_path_item_is_a_warning() -> None:
    doc = compiled(document({"/a": {"$ref": "#/components/pathItems/No"}, "/b": {"get": {}}}))
    assert (len(doc.rows), len(doc.warnings)) == (1, 1)


def test_external_files_are_part_of_the_compiled_document(tmp_path: Path) -> None:
    (tmp_path / "schemas.yaml").write_text("Pet: {type: object, properties: {name: {type: string}}}\n")
    paths = {
        "/a": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": "schemas.yaml#/Pet"}}]}}
    }
    source = orjson.dumps(document(paths))
    compiled_bytes = compile_document(source, "m", overrides=[], root=tmp_path, base=tmp_path / "m.json")
    doc = Doc(compiled_bytes)
    parameter = doc.path_item("/a")["get"]["parameters"][0]
    assert doc.deref(parameter["schema"])["type"] == "object"
    assert doc.dependencies[0][0] == "schemas.yaml"
    without = Doc(compile_document(source, "m", overrides=[], root=None, base=None))
    assert (without.rows, len(without.warnings)) == ([], 1)


def test_overrides_come_first() -> None:
    patch = [{"op": "add", "path": "/paths/~1b", "value": {"get": {"operationId": "b"}}}]
    source = orjson.dumps(document({"/a": {"get": {"operationId": "a"}}}))
    doc = Doc(compile_document(source, "m", overrides=patch, root=None, base=None))
    assert len(doc.rows) == 2
