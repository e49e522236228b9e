from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.dialect import Dialect
from integrations.openapi.shapes import form_schema, holds_data, is_bytes
from tests.integrations.openapi.documents import compiled, operation

BYTES = {"type": "string", "format": "binary"}
SCHEMAS: dict[str, Any] = {
    "Bytes": BYTES,
    "Form": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"$ref": "#/components/schemas/Bytes"}},
    },
    "Self": {"allOf": [{"$ref": "#/components/schemas/Self"}]},
    "Plain": {"type": "object", "properties": {"a": {"type": "string"}}},
}
DOC = compiled(operation(root_components={"schemas": SCHEMAS}))
FILE = {"anyOf": [{"$ref": "#/$defs/ToolFile"}, {"type": "string"}]}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


DATA: list[tuple[Any, bool]] = [
    ({"type": "object"}, True),
    ({"type": ["array", "null"]}, True),
    ({"type": ["object", "string"]}, False),
    ({"properties": {}}, True),
    ({"oneOf": [{"type": "object"}, {"type": "null"}]}, True),
    ({"oneOf": [{"type": "object"}, {"type": "string"}]}, False),
    ({"allOf": [{}, ref("Plain")]}, True),
    (ref("Plain"), True),
    (ref("None"), False),
    (ref("Self"), False),
    ({"type": "integer"}, False),
    ({}, False),
    (True, False),
    (None, False),
]


@pytest.mark.parametrize(("schema", "expected"), DATA)
def test_data(schema: Any, expected: bool) -> None:
    assert holds_data(DOC, schema) is expected


FILES: list[tuple[Any, bool]] = [
    (BYTES, True),
    ({"type": "file"}, True),
    (ref("Bytes"), True),
    ({"allOf": [ref("Bytes")], "description": "x"}, True),
    ({"anyOf": [BYTES, {"type": "null"}]}, True),
    ({"type": "string", "contentMediaType": "image/png"}, True),
    ({"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64"}, False),
    ({"type": "string", "contentMediaType": "application/json"}, False),
    ({"type": "string", "format": "byte"}, False),
    (ref("Self"), False),
    ({}, False),
]


@pytest.mark.parametrize(("schema", "expected"), FILES)
def test_bytes(schema: Any, expected: bool) -> None:
    assert is_bytes(DOC, schema) is expected


FORMS: list[tuple[Any, Any]] = [
    (ref("Form"), {"type": "object", "required": ["file"], "properties": {"file": FILE}}),
    ({"allOf": [ref("Form"), ref("Plain")]},
     {"allOf": [{"type": "object", "required": ["file"], "properties": {"file": FILE}}, SCHEMAS["Plain"]]}),
    ({"oneOf": [ref("Form")]},
     {"oneOf": [{"type": "object", "required": ["file"], "properties": {"file": FILE}}]}),
    ({"properties": {"f": {"type": "array", "items": ref("Bytes"), "maxItems": 2}}},
     {"properties": {"f": {"type": "array", "items": FILE, "maxItems": 2}}}),
    ({"properties": {"f": {"anyOf": [BYTES, {"type": "null"}]}}}, {"properties": {"f": FILE}}),
    ({"properties": {"f": BYTES | {"description": "It"}}}, {"properties": {"f": FILE | {"description": "It"}}}),
    (ref("Plain"), {"$ref": "#/$defs/Plain"}),
    (ref("Self"), {"$ref": "#/$defs/Self"}),
    (True, True),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "expected"), FORMS)
def test_forms(schema: Any, expected: Any) -> None:
    assert form_schema(Dialect(DOC, "request"), DOC, schema) == expected
