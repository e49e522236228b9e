"""MCP servers of a config, started and called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.proxy.support import Notice, call, config_of, connections_in, data_of

SERVER = """
from mcp.server.mcpserver import MCPServer

server = MCPServer("adder")


@server.tool()
def add(a: int, b: int) -> int:
    \"\"\"Add two numbers.\"\"\"
    return a + b


server.run("stdio")
"""


async def test_a_local_mcp_server_is_started_listed_and_called(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    text = f"""\
version: 1
integrations:
  adder: {{kind: mcp, type: local, command: ["{sys.executable}", "{script}"], timeout: 20s}}
connections: {{adder.org.main: {{}}}}
"""
    async with connections_in(env, changed=Notice()) as connections:
        opened = await connections.open(config_of(tmp_path, text))
        adder = opened.connections["adder.org.main"]
        assert adder.status == {"status": "connected"}, adder.status
        result = await call(adder, "add", {"a": 2, "b": 3})
        assert data_of(result) in (5, {"result": 5})
        again = await connections.open(config_of(tmp_path, text))
        assert again.connections["adder.org.main"].upstream is adder.upstream


async def test_a_missing_secret_of_an_mcp_server_is_its_own_status(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    text = """\
version: 1
integrations:
  docs: {kind: mcp, type: remote, url: "http://127.0.0.1:9/mcp", headers: {X-Api-Key: {env: DOCS_KEY}}}
connections: {docs.org.main: {}}
"""
    async with connections_in(env) as connections:
        opened = await connections.open(config_of(tmp_path, text))
        assert opened.connections["docs.org.main"].status["status"] == "needs_secret"
