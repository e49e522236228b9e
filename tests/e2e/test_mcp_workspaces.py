"""Workspaces that share the connection to an MCP server share no session with it, and no process of it."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.threaded import served

STDIO = Path(__file__).parents[1] / "integrations" / "mcp" / "stdio_server.py"
KEYS = {"red": "ex_key_red", "red2": "ex_key_red2", "blue": "ex_key_blue", "green": "ex_key_green"}
WORKSPACE = {"red": "red", "red2": "red", "blue": "blue", "green": "green"}
PID = "return (await tools.here.org.main.pid({})).data.pid"
SESSION = "return (await tools.there.org.main.session({})).data"


class Sessions(BaseHTTPRequestHandler):
    """An MCP server of the handshake era whose only tool tells the session that it was called in."""

    protocol_version = "HTTP/1.1"
    numbers: ClassVar = itertools.count(1)
    names: ClassVar[set[str]] = set()
    ended: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        session = self.headers.get("Mcp-Session-Id", "")
        if message["method"] == "initialize":
            session = f"session-{next(self.numbers)}"
            self.names.add(session)
        elif session not in self.names:
            self._answer(400 if message["method"] == "server/discover" else 404)
            return
        if "id" not in message:
            self._answer(202)
            return
        result = {"jsonrpc": "2.0", "id": message["id"], "result": self._result(message["method"], session)}
        self._answer(200, json.dumps(result).encode(), session)

    def do_GET(self) -> None:
        self._answer(405)

    def do_DELETE(self) -> None:
        self.ended.append(self.headers["Mcp-Session-Id"])
        self._answer(200)

    def _result(self, method: str, session: str) -> Any:
        if method == "initialize":
            info = {"name": "sessions", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        if method == "tools/list":
            tool = {
                "name": "session",
                "inputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": True},
            }
            return {"tools": [tool]}
        return {"content": [{"type": "text", "text": session}]}

    def _answer(self, status: int, body: bytes = b"", session: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("spaces")
    keys = {
        name: {"hash": f"sha256:{hash_key(key)}", "workspace": WORKSPACE[name]} for name, key in KEYS.items()
    }
    with served(Sessions) as url:
        there = {"kind": "mcp", "type": "remote", "url": f"{url}/mcp", "transport": "streamable-http"}
        here = {"kind": "mcp", "type": "local", "command": [sys.executable, "-I", "-S", str(STDIO), "plain"]}
        config = {
            "version": 1,
            "rate_limits": {},
            "workspaces": {name: {} for name in sorted(set(WORKSPACE.values()))},
            "auth": {"api_keys": {"keys": keys}},
            "integrations": {"here": {**here, "timeout": 20_000}, "there": {**there, "timeout": 20_000}},
            "connections": {"here.org.main": {}, "there.org.main": {}},
            "policies": [{"pattern": "*", "action": "approve"}],
        }
        with serving(configs.write(folder / "executor.yaml", config), folder / "state", env={}) as running:
            yield running


@pytest.mark.parametrize("code", [PID, SESSION])
async def test_each_workspace_has_its_own_and_keeps_it(proxy: Proxy, code: str) -> None:
    seen: dict[str, set[str]] = {name: set() for name in WORKSPACE.values()}
    for _ in range(2):
        for name, key in KEYS.items():
            value = await proxy.value(code, token=key)
            seen[WORKSPACE[name]].add(str(value))
    assert [len(one) for one in seen.values()] == [1, 1, 1]
    assert len(set().union(*seen.values())) == 3


async def test_a_process_that_one_workspace_kills_costs_no_other_one_anything(proxy: Proxy) -> None:
    before = {name: await proxy.value(PID, token=KEYS[name]) for name in ("red", "blue", "green")}
    await proxy.execute("return await tools.here.org.main.die({})", token=KEYS["blue"])
    after = {name: await proxy.value(PID, token=KEYS[name]) for name in before}
    assert after["blue"] != before["blue"]
    assert (after["red"], after["green"]) == (before["red"], before["green"])


async def test_the_first_workspace_uses_the_session_that_listed_the_tools(proxy: Proxy) -> None:
    """So whoever has one workspace pays for one session."""
    values = {name: await proxy.value(SESSION, token=KEYS[name]) for name in ("red", "blue", "green")}
    assert "session-1" in values.values()
    assert Sessions.names == set(values.values())
