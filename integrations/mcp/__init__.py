"""Upstream MCP servers: local ones over stdio, remote ones over streamable HTTP or SSE, both protocol eras.

The names are loaded when first used: `executor validate` imports `integrations.mcp.config` and must not pay
for the MCP SDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrations.mcp.servers import (
        ChildSlots,
        LocalServer,
        McpLimits,
        McpServer,
        RemoteServer,
        TokenHeaders,
        credential_headers,
    )
    from integrations.mcp.session import Shared
    from integrations.mcp.toolset import McpToolset
    from integrations.mcp.upstream import McpUpstream

_HOMES = {
    "ChildSlots": "servers",
    "McpLimits": "servers",
    "LocalServer": "servers",
    "McpToolset": "toolset",
    "McpUpstream": "upstream",
    "RemoteServer": "servers",
    "McpServer": "servers",
    "Shared": "session",
    "TokenHeaders": "servers",
    "credential_headers": "servers",
}

__all__ = [
    "ChildSlots",
    "LocalServer",
    "McpLimits",
    "McpServer",
    "McpToolset",
    "McpUpstream",
    "RemoteServer",
    "Shared",
    "TokenHeaders",
    "credential_headers",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
