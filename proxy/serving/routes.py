"""Which paths are MCP endpoints. Everything else belongs to the Quart app."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORKSPACE = re.compile(r"/(?P<workspace>[A-Za-z0-9][A-Za-z0-9_.-]{0,127})/mcp/?")


@dataclass(frozen=True, slots=True)
class McpRoute:
    """`name` is the label of logs and metrics: one of four (and `stream` for GET), whatever callers ask
    for."""

    name: str
    workspace: str | None = None
    anonymous: bool = False


_FIXED = {
    "/mcp": McpRoute("mcp"),
    "/v1/mcp": McpRoute("v1"),
    "/mcp/anonymous": McpRoute("anonymous", anonymous=True),
    "/v1/mcp/anonymous": McpRoute("anonymous", anonymous=True),
}


def mcp_route(path: str) -> McpRoute | None:
    """The endpoint of a path, or None. A trailing slash makes no difference."""
    fixed = _FIXED.get(path.rstrip("/"))
    if fixed is not None:
        return fixed
    match = _WORKSPACE.fullmatch(path)
    return McpRoute("workspace", workspace=match["workspace"]) if match else None
