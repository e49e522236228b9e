"""How to call upstreams. One self-contained folder per kind; kinds do not import each other or the proxy.

What ships is the list in `integrations.kinds`. It is loaded on first use: the child processes that compile documents
import this package and must not pay for the config models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrations.kinds import GraphQl, Integration, Mcp, McpLocal, McpRemote, OpenApi

__all__ = ["GraphQl", "Integration", "Mcp", "McpLocal", "McpRemote", "OpenApi"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from integrations import kinds

    return getattr(kinds, name)
