"""Small documents and toolsets for the tests of this directory, made in process (no child, no network)."""

from __future__ import annotations

from typing import Any

import orjson

from integrations.base import InvalidArguments, JsonObject
from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from integrations.openapi.request import OutgoingRequest, build_request
from integrations.openapi.toolset import OpenApiToolset, make_toolset


def compiled(document: JsonObject) -> Doc:
    return Doc(compile_document(orjson.dumps(document), "test"))


def toolset_of(document: JsonObject, source_url: str | None = None) -> OpenApiToolset:
    return make_toolset(compiled(document), "key", source_url, "test", (), ())


def operation(path: str = "/things", method: str = "get", version: str = "3.1.0", **parts: Any) -> JsonObject:
    """A document with one operation called `op`; keywords go into it, `components` and `servers` beside it."""
    document: JsonObject = {"openapi": version, "info": {"title": "T", "version": "1"}}
    document["servers"] = parts.pop("servers", [{"url": "https://api.example.com"}])
    for key in ("components", "security"):
        if f"root_{key}" in parts:
            document[key] = parts.pop(f"root_{key}")
    document["paths"] = {path: {method: {"operationId": "op", "responses": {}, **parts}}}
    return document


def only_tool(toolset: OpenApiToolset) -> str:
    (tool,) = toolset.tools
    return tool.name


def request_of(document: JsonObject, arguments: JsonObject, base_url: str | None = None) -> OutgoingRequest:
    toolset = toolset_of(document)
    return build_request(toolset.closure(only_tool(toolset)), arguments, base_url)[0]


def problems_of(document: JsonObject, arguments: JsonObject) -> dict[str, str]:
    """Pointer -> reason of a refused call; empty when it was accepted."""
    try:
        request_of(document, arguments)
    except InvalidArguments as error:
        return {problem.pointer: problem.reason for problem in error.problems}
    return {}
