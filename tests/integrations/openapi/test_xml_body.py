from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.xml_body import to_xml
from tests.integrations.openapi.documents import compiled

PET = {
    "type": "object",
    "xml": {"name": "pet", "prefix": "p", "namespace": "urn:p"},
    "properties": {
        "id": {"type": "integer", "xml": {"attribute": True}},
        "name": {"type": "string", "xml": {"name": "petName"}},
        "photos": {
            "type": "array",
            "xml": {"wrapped": True},
            "items": {"type": "string", "xml": {"name": "photo"}},
        },
        "tags": {"type": "array", "items": {"type": "string", "xml": {"name": "tag"}}},
    },
}
DOC = compiled({"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"Pet": PET}}})
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'


def test_the_xml_object() -> None:
    value = {"id": 1, "name": "<Rex> & co", "photos": ["a", "b"], "tags": ["x", "y"], "none": None}
    assert to_xml(DOC, {"$ref": "#/components/schemas/Pet"}, value) == HEAD + (
        b'<p:pet xmlns:p="urn:p" id="1"><petName>&lt;Rex&gt; &amp; co</petName>'
        b"<photos><photo>a</photo><photo>b</photo></photos><tag>x</tag><tag>y</tag></p:pet>"
    )


def test_without_hints() -> None:
    assert to_xml(DOC, True, {"a": {"b": True}}) == HEAD + b"<root><a><b>true</b></a></root>"


def test_names_cannot_inject() -> None:
    with pytest.raises(ValueError, match="XML name"):
        to_xml(DOC, True, {"a><evil/><a": 1})


@pytest.mark.parametrize(("schema", "value", "expected"), [
    ({"properties": {"a": {"xml": {"nodeType": "attribute"}}}}, {"a": "x"}, '<root a="x"></root>'),
    ({"properties": {"t": {"xml": {"nodeType": "text"}}}}, {"t": "<"}, "<root>&lt;</root>"),
    ({"properties": {"c": {"xml": {"nodeType": "cdata"}}}}, {"c": "]]>"}, "<root><![CDATA[]]]]><![CDATA[>]]></root>"),
    ({"properties": {"l": {"xml": {"nodeType": "element"}}}}, {"l": [1, 2]}, "<root><l><l>1</l><l>2</l></l></root>"),
    ({"properties": {"o": {"xml": {"nodeType": "none"}}}}, {"o": {"x": 1}}, "<root><x>1</x></root>"),
])  # fmt: skip
def test_node_types(schema: dict[str, Any], value: Any, expected: str) -> None:
    """OpenAPI 3.2 XML Object, `nodeType`."""
    doc = compiled({"openapi": "3.2.0", "paths": {}})
    assert to_xml(doc, schema, value).decode().partition("?>")[2] == expected
