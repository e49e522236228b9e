from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.base import JsonObject
from integrations.openapi.bundle import Fetched, Files
from integrations.openapi.compile import FilesWanted, compile_document, work
from integrations.openapi.doc import Doc


def document(paths: JsonObject, **more: Any) -> JsonObject:
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths, **more}


def test_external_files_are_part_of_the_compiled_document(tmp_path: Path) -> None:
    (tmp_path / "schemas.yaml").write_text("Pet: {type: object, properties: {name: {type: string}}}\n")
    paths = {
        "/a": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": "schemas.yaml#/Pet"}}]}}
    }
    source = orjson.dumps(document(paths))
    compiled_bytes = compile_document(source, "m", library=Files(tmp_path, tmp_path / "m.json"))
    doc = Doc(compiled_bytes)
    parameter = doc.path_item("/a")["get"]["parameters"][0]
    assert doc.deref(parameter["schema"])["type"] == "object"
    assert doc.dependencies[0][0] == "schemas.yaml"
    without = Doc(compile_document(source, "m"))
    assert without.rows == []
    assert without.warnings == ("m#/paths/~1a/get: left out: schemas.yaml#/Pet is outside of the document",)


def test_files_that_have_to_be_fetched_first() -> None:
    source = orjson.dumps(
        document({"/a": {"get": {"parameters": [{"$ref": "p.yaml#/P"}, {"$ref": "q.yaml"}]}}})
    )
    with pytest.raises(FilesWanted) as wanted:
        compile_document(source, "m", library=Fetched("https://a.example/v1/api.json", {}))
    assert sorted(wanted.value.places) == ["https://a.example/v1/p.yaml", "https://a.example/v1/q.yaml"]


def test_the_child_hands_back_what_it_needs(tmp_path: Path) -> None:
    source = orjson.dumps(
        document({"/a": {"get": {"parameters": [{"$ref": "p.yaml#/P"}, {"$ref": "q.yaml"}]}}})
    )
    part = b"P: {name: p, in: query}"
    request: JsonObject = {
        "name": "m", "overrides": [], "output": str(tmp_path / "out"), "url": "https://a.example/d",
        "size": len(source),
    }  # fmt: skip
    assert sorted(orjson.loads(work({**request, "files": []}, source))["wanted"]) == [
        "https://a.example/p.yaml",
        "https://a.example/q.yaml",
    ]
    files = [["https://a.example/q.yaml", "answered 404"], ["https://a.example/p.yaml", len(part)]]
    assert work({**request, "files": files}, source + part) == b""
    doc = Doc((tmp_path / "out").read_bytes())
    assert doc.warnings == ("m#/paths/~1a/get: left out: q.yaml cannot be read: answered 404",)
    assert [entry[0] for entry in doc.dependencies] == ["https://a.example/p.yaml"]


def test_overrides_come_first() -> None:
    patch = [{"op": "add", "path": "/paths/~1b", "value": {"get": {"operationId": "b"}}}]
    source = orjson.dumps(document({"/a": {"get": {"operationId": "a"}}}))
    doc = Doc(compile_document(source, "m", overrides=patch))
    assert len(doc.rows) == 2


def test_integers_of_any_size_are_no_obstacle() -> None:
    parameter = b"{name: p, in: query, schema: {maximum: %d}}" % (2**70)
    source = b"openapi: 3.1.0\npaths: {/a: {get: {parameters: [%s]}}}" % parameter
    doc = Doc(compile_document(source, "m"))
    assert doc.path_item("/a")["get"]["parameters"][0]["schema"]["maximum"] == 2**70
