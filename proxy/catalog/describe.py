"""Describe: everything agent code needs to know to call one tool."""

from __future__ import annotations

from integrations.base import JsonObject, outline_of
from integrations.schema_types import ToolTypes, render_tool_types
from proxy.catalog.entries import CatalogTool
from proxy.catalog.index import ToolIndex
from proxy.catalog.prose import full_text

_PROSE_AT_MOST = 4_000


def describe(tool: CatalogTool, index: ToolIndex, policy: JsonObject, budget_bytes: int) -> JsonObject:
    """`{path,name,description,inputTypeScript,outputTypeScript,typeScriptDefinitions,policy}`.

    The types take at most `budget_bytes`, the description a quarter of that (and never over 4,000 characters).
    """
    types = types_of(tool, index, budget_bytes)
    return {
        "path": tool.address,
        "name": tool.name,
        "description": full_text(tool.definition, max(200, min(_PROSE_AT_MOST, budget_bytes // 4))),
        "inputTypeScript": types.input,
        "outputTypeScript": types.output,
        "typeScriptDefinitions": types.definitions,
        "policy": policy,
    }


def types_of(tool: CatalogTool, index: ToolIndex, budget_bytes: int) -> ToolTypes:
    """The types of one tool; connections that see the same toolset share what was rendered before."""
    key = (tool.name, budget_bytes, tool.toolset.digest)
    known = index.types.get(key)
    if isinstance(known, ToolTypes):
        return known
    types = render_tool_types(tool.name, outline_of(tool.toolset, tool.name), budget_bytes)
    index.types.put(key, types)
    return types
