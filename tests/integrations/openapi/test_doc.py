from __future__ import annotations

import pytest

from integrations.base import JsonObject, SourceError
from integrations.openapi.doc import BrokenReference, Doc
from tests.integrations.openapi.documents import compiled

DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "T", "version": "1"},
    "paths": {
        "/a/{b}": {"get": {"parameters": [{"name": "q", "in": "query"}]}},
        "/via": {"$ref": "#/components/pathItems/Shared", "summary": "beside"},
        "/loop": {"$ref": "#/paths/~1loop"},
    },
    "components": {
        "schemas": {"A": {"$ref": "#/components/schemas/B"}, "B": {"properties": {"x": {"type": "string"}}},
                    "Loop": {"$ref": "#/components/schemas/Loop"}},
        "pathItems": {"Shared": {"get": {}}},
    },
}  # fmt: skip


def test_references() -> None:
    doc = compiled(DOCUMENT)
    assert doc.get("#/components/schemas/B/properties/x") == {"type": "string"}
    assert doc.get("#/paths/~1a~1%7Bb%7D/get/parameters/0")["name"] == "q"
    assert doc.get("#/info/title") == "T"
    assert "properties" in doc.deref({"$ref": "#/components/schemas/A"})
    assert doc.path_item("/via") == {"get": {}, "summary": "beside"}
    assert doc.schema_dialect == "2020-12"


@pytest.mark.parametrize(
    "reference", ["#/components/schemas/No", "#/paths/~1a/get", "other.yaml#/x", "#/nope", "http://x/"]
)
def test_broken_references(reference: str) -> None:
    with pytest.raises(BrokenReference):
        compiled(DOCUMENT).get(reference)


def test_circles_of_references_end() -> None:
    doc = compiled(DOCUMENT)
    with pytest.raises(BrokenReference):
        doc.deref({"$ref": "#/components/schemas/Loop"})
    with pytest.raises(BrokenReference):
        doc.path_item("/loop")


def test_the_cache_is_bounded() -> None:
    schemas = {f"S{n}": {"title": f"t{n}"} for n in range(600)}
    doc = compiled({"openapi": "3.1.0", "paths": {}, "components": {"schemas": schemas}})
    for _ in range(2):
        assert all(doc.get(f"#/components/schemas/S{n}")["title"] == f"t{n}" for n in range(600))


def test_other_files_are_refused() -> None:
    with pytest.raises(SourceError):
        Doc(b"something else entirely")
