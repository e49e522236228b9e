"""An MCP server of the handshake era over streamable HTTP, without any library, on top of the echo server: it keeps
sessions, and refuses, breaks off or hangs on request.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from integrations.mcp import RemoteServer
from tests.integrations.echo import Echo, Reply, Seen, echo_server

JSON = ("Content-Type", "application/json")
TOOLS = [
    {"name": "write", "inputSchema": {"type": "object"}},
    {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
]
_CACHEABLE = {"resultType": "complete", "ttlMs": 600_000, "cacheScope": "private"}


class RawHttp:
    """`refuse` may answer a call instead of the server; `forget()` loses all sessions; `calls` counts those done."""

    def __init__(self, echo: Echo) -> None:
        self.echo = echo
        self.sessions = 0
        self.current = ""
        self.calls = 0
        self.text = "fine"
        self.tools: list[Any] = TOOLS
        self.more: dict[str, Any] = {}
        self.result: Any = None
        self.capabilities: dict[str, Any] = {"tools": {}}
        self.unknown_session = Reply(404)
        self.modern = False
        self.refuse: Callable[[str, Seen], Reply | None] = lambda method, seen: None
        echo.answer = self.answer

    @property
    def server(self) -> RemoteServer:
        return RemoteServer(self.echo.url + "/mcp", transport="streamable-http")

    def forget(self) -> None:
        self.current = ""

    def answer(self, seen: Seen) -> Reply:
        if seen.method != "POST":
            return Reply(405 if seen.method == "GET" else 200)
        message = json.loads(seen.body)
        method = message["method"]
        refused = self.refuse(method, seen)
        if refused is not None:
            return refused
        if method == "server/discover":
            return self._discover(message)
        if method == "initialize":
            return self._initialize(message)
        if not self._knows(seen):
            return _to_this(message, self.unknown_session)
        if "id" not in message:
            return Reply(202)
        return answer_to(message, self._result(method))

    def _knows(self, seen: Seen) -> bool:
        """Nobody has a session in the era of 2026-07-28; one who forgets wants to be discovered anew."""
        return bool(self.current) and (self.modern or seen.header("mcp-session-id") == self.current)

    def _discover(self, message: Any) -> Reply:
        if not self.modern:
            return Reply(400)
        self.sessions += 1
        self.current = f"session-{self.sessions}"
        result = {"supportedVersions": ["2026-07-28"], "capabilities": self.capabilities}
        return answer_to(message, {**result, **_CACHEABLE})

    def _initialize(self, message: Any) -> Reply:
        self.sessions += 1
        self.current = f"session-{self.sessions}"
        result = {
            "protocolVersion": "2025-11-25",
            "capabilities": self.capabilities,
            "serverInfo": {"name": "raw", "version": "1"},
        }
        reply = answer_to(message, result)
        reply.headers.append(("Mcp-Session-Id", self.current))
        return reply

    def _result(self, method: str) -> Any:
        if method == "tools/list":
            return {"tools": self.tools, **(_CACHEABLE if self.modern else {}), **self.more}
        self.calls += 1
        return self.result or {"content": [{"type": "text", "text": self.text}], "resultType": "complete"}


def _to_this(message: Any, reply: Reply) -> Reply:
    """An answer with status 200 is to the request that it answers, whoever made it."""
    if reply.status != 200 or "id" not in message or b'"id": 0' not in reply.body:
        return reply
    return replace(reply, body=json.dumps({**json.loads(reply.body), "id": message["id"]}).encode())


def answer_to(message: Any, result: Any) -> Reply:
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
    return Reply(200, [JSON], body)


def answer_error(seen: Seen, code: int, words: str) -> Reply:
    """An error of JSON-RPC as the answer to this very request."""
    error = {"jsonrpc": "2.0", "id": json.loads(seen.body)["id"], "error": {"code": code, "message": words}}
    return Reply(200, [JSON], json.dumps(error).encode())


def error_reply(status: int, code: int, words: str) -> Reply:
    """With status 200 the error has the id of the request; otherwise the server has not read that."""
    number = 0 if status == 200 else None
    body = json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": words}}).encode()
    return Reply(status, [JSON], body)


def on_calls(reply: Reply, times: int = 1) -> Callable[[str, Seen], Reply | None]:
    """Answers the next calls of a tool with this."""
    left = [reply] * times
    return lambda method, seen: left.pop() if method == "tools/call" and left else None


@asynccontextmanager
async def raw_http() -> AsyncIterator[RawHttp]:
    async with echo_server() as echo:
        yield RawHttp(echo)
