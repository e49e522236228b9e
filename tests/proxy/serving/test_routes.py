from __future__ import annotations

import pytest

from proxy.serving.routes import McpRoute, mcp_route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/mcp", McpRoute("mcp")),
        ("/mcp/", McpRoute("mcp")),
        ("/v1/mcp", McpRoute("v1")),
        ("/mcp/anonymous", McpRoute("anonymous", anonymous=True)),
        ("/v1/mcp/anonymous", McpRoute("anonymous", anonymous=True)),
        ("/ws_team-1.x/mcp", McpRoute("workspace", workspace="ws_team-1.x")),
    ],
)
def test_mcp_paths(path: str, route: McpRoute) -> None:
    assert mcp_route(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mcpx",
        "/a/b/mcp",
        "/../mcp",
        "/ws%2fx/mcp",
        "/ws/mcp/anonymous",
        "//mcp",
        "/w\n/mcp",
        "/healthz",
    ],
)
def test_other_paths(path: str) -> None:
    assert mcp_route(path) is None
