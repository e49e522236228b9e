from __future__ import annotations

from typing import Any

from integrations.openapi.trim import trim, trim_map


def test_keywords_go_and_names_of_the_same_spelling_stay() -> None:
    schema: dict[str, Any] = {
        "example": 1,
        "x-internal": True,
        "x-nullable": True,
        "properties": {
            "example": {"type": "string", "example": "e"},
            "x-id": {"$ref": "#/components/schemas/Id"},
            "examples": {"examples": [1], "default": {"example": 1}},
        },
        "enum": [{"example": 1}],
    }
    references: set[str] = set()
    trim(schema, references)
    assert references == {"#/components/schemas/Id"}
    assert schema == {
        "x-nullable": True,
        "properties": {
            "example": {"type": "string"},
            "x-id": {"$ref": "#/components/schemas/Id"},
            "examples": {"default": {"example": 1}},
        },
        "enum": [{"example": 1}],
    }


def test_maps_keep_their_names() -> None:
    headers: dict[str, Any] = {"X-Rate": {"x-a": 1, "schema": {"type": "integer"}}}
    trim_map(headers, set())
    assert headers == {"X-Rate": {"schema": {"type": "integer"}}}


def test_callbacks_and_links_go() -> None:
    operation: dict[str, Any] = {"callbacks": {"c": {"$ref": "#/x"}}, "parameters": [{"example": 1}]}
    references: set[str] = set()
    trim(operation, references)
    assert (operation, references) == ({"parameters": [{}]}, set())
