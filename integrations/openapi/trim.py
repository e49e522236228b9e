"""Removes from a document, in place, what no call needs: examples, extensions, callbacks, links to documentation.

Position matters: `example` is a keyword in a schema and an ordinary name under `properties`. The walk therefore knows
which keys hold maps of names and which hold data that must be left alone. On the way it collects every `$ref`.
"""

from __future__ import annotations

from typing import Any

_NAME_MAPS = frozenset({
    "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "schemas", "responses",
    "headers", "requestBodies", "securitySchemes", "securityDefinitions", "pathItems", "content", "encoding",
    "paths", "variables", "mapping", "parameters", "additionalOperations", "mediaTypes",
})  # fmt: skip
_DATA = frozenset({"default", "enum", "const", "required", "scopes", "security", "tags"})
_DROPPED = frozenset({"example", "examples", "externalDocs", "callbacks", "links", "x-examples"})
READ_EXTENSIONS = frozenset({"x-nullable", "x-executor-toolPath", "x-ms-discriminator-value"})


def trim(node: Any, references: set[str]) -> None:
    """Trim an object at an ordinary (keyword) position. Raises `RecursionError` beyond about 900 levels."""
    if isinstance(node, list):
        for item in node:
            if isinstance(item, dict | list):
                trim(item, references)
        return
    dropped: list[str] = []
    for key, value in node.items():
        if key in _DROPPED or (key[:2] == "x-" and key not in READ_EXTENSIONS):
            dropped.append(key)
        elif isinstance(value, dict | list):
            if key in _DATA:
                continue
            if key in _NAME_MAPS and isinstance(value, dict):
                trim_map(value, references)
            else:
                trim(value, references)
        elif key == "$ref" and isinstance(value, str):
            references.add(value)
    for key in dropped:
        del node[key]


def trim_map(node: dict[str, Any], references: set[str]) -> None:
    """Trim a mapping whose keys are names of the document's own choosing."""
    for value in node.values():
        if isinstance(value, dict | list):
            trim(value, references)
