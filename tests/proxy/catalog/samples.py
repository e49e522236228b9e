"""Toolsets and catalogs for the tests: hand-made ones, and GitHub's operations from the committed table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from integrations.base import JsonObject, Risk, ToolDefinition, ToolSchemas, Toolset, UnknownTool
from proxy.catalog import Catalog, CatalogConnection, build_index

HERE = Path(__file__).parent
_RISKS: Mapping[str, Risk] = {"GET": "read", "DELETE": "destructive"}


@dataclass(frozen=True)
class Tools:
    """A toolset in memory."""

    tools: Sequence[ToolDefinition]
    digest: str = "d"
    inputs: Mapping[str, JsonObject] = field(default_factory=dict)
    outputs: Mapping[str, JsonObject] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def schemas(self, tool: str) -> ToolSchemas:
        if tool not in {each.name for each in self.tools}:
            raise UnknownTool(tool)
        closed: JsonObject = {"type": "object", "additionalProperties": False}
        return ToolSchemas(self.inputs.get(tool, closed), self.outputs.get(tool))


def tool(
    name: str, title: str = "", risk: Risk = "read", description: str = "", **more: str
) -> ToolDefinition:
    return ToolDefinition(name, title, description, risk, risk != "write", **more)  # type: ignore[arg-type]


def connection(
    prefix: str, toolset: Toolset | None, title: str = "", status: str = "connected", kind: str = "openapi"
) -> CatalogConnection:
    integration, owner, name = prefix.split(".")
    index = build_index(toolset) if toolset is not None else None
    return CatalogConnection(integration, owner, name, kind, title, status, toolset, index)


def catalog(*connections: CatalogConnection, sha256: str = "0" * 64) -> Catalog:
    return Catalog(connections, sha256=sha256)


@cache
def github_tools() -> Tools:
    """1,223 operations: name, method, path and summary only (no descriptions, no parameters)."""
    tools = []
    for line in (HERE / "github.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, method, path, summary = line.split("\t")
        risk: Literal["read", "write", "destructive"] = _RISKS.get(method, "write")
        tools.append(ToolDefinition(name, summary, "", risk, method != "POST", method=method, path=path))
    return Tools(tuple(tools), digest="github")


@cache
def github() -> Catalog:
    return catalog(connection("github.org.main", github_tools(), "GitHub v3 REST API"))
