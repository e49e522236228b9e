from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.anchors import may_have_anchors, settle_references

SELF = "https://api.example.com/docs/api.json"
CASES: list[tuple[str, str]] = [
    ("#addr", "#/components/schemas/B"),
    ("#dynamic", "#/components/schemas/B/properties/d"),
    ("#/components/schemas/B", "#/components/schemas/B"),
    ("#nowhere", "#nowhere"),
    ("https://schemas.example/c", "#/components/schemas/C"),
    ("https://schemas.example/c#/$defs/In", "#/components/schemas/C/$defs/In"),
    ("https://schemas.example/c#inner", "#/components/schemas/C/$defs/In"),
    ("https://schemas.example/other", "https://schemas.example/other"),
    (f"{SELF}#/components/schemas/B", "#/components/schemas/B"),
    ("api.json#addr", "#/components/schemas/B"),
    ("other.yaml#/X", "other.yaml#/X"),
    ("#/x-files/0addr", "#/x-files/0/Address"),
    ("#/x-files/0/Address", "#/x-files/0/Address"),
]


def document(**schemas: Any) -> JsonObject:
    return {
        "openapi": "3.2.0",
        "$self": SELF,
        "components": {
            "schemas": {
                "B": {
                    "$anchor": "addr",
                    "properties": {"d": {"$dynamicAnchor": "dynamic"}},
                    "required": ["d"],
                },
                "C": {
                    "$id": "https://schemas.example/c",
                    "$defs": {"In": {"$anchor": "inner"}},
                    "properties": {
                        "own": {"$ref": "#inner"},
                        "local": {"$ref": "#/$defs/In"},
                        "meant": {"$ref": "#/components/schemas/B"},
                        "up": {"$ref": "d"},
                    },
                },
                "D": {"$id": "https://schemas.example/d", "default": {"$ref": "#addr"}},
                **schemas,
            }
        },
        "x-files": {"0": {"Address": {"$anchor": "addr"}}},
    }


@pytest.mark.parametrize(("written", "pointer"), CASES)
def test_a_reference_becomes_a_pointer(written: str, pointer: str) -> None:
    made = document(A={"properties": {"addr": {"$ref": written}}})
    settle_references(made)
    assert made["components"]["schemas"]["A"]["properties"]["addr"]["$ref"] == pointer


def test_inside_a_schema_with_an_id_references_start_there() -> None:
    made = document()
    settle_references(made)
    schemas = made["components"]["schemas"]
    assert {name: one["$ref"] for name, one in schemas["C"]["properties"].items()} == {
        "own": "#/components/schemas/C/$defs/In",
        "local": "#/components/schemas/C/$defs/In",
        "meant": "#/components/schemas/B",
        "up": "#/components/schemas/D",
    }
    assert schemas["D"]["default"] == {"$ref": "#addr"}


def test_most_documents_need_nothing_of_it() -> None:
    assert may_have_anchors(b'{"$anchor": "x"}')
    assert not may_have_anchors(b'{"$ref": "#/x"}')
