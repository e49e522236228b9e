"""A small real gateway, and a real server around it on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from proxy.serving.app import AppOptions, ServingApp
from proxy.serving.drain import Drain
from proxy.serving.http.server import HttpLimits, serve_http
from proxy.serving.rest.operations import RestOptions
from proxy.state import State
from proxy.state.memory import MemoryState
from tests.proxy.serving.board import ALICE, TOKENS, Board, question, result

JsonObject = dict[str, Any]

__all__ = [
    "ALICE",
    "MODERN",
    "TOKENS",
    "Board",
    "Server",
    "call",
    "envelope",
    "initialize",
    "modern_headers",
    "open_session",
    "question",
    "result",
    "rpc",
    "serving",
]


@dataclass(frozen=True)
class Server:
    """A running server. `url` is its origin without a path."""

    url: str
    board: Board
    app: ServingApp
    drain: Drain
    shutdown: asyncio.Event

    def client(self, token: str | None = "alice", **headers: str) -> httpx2.AsyncClient:
        own = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(base_url=self.url, headers={**own, **headers}, timeout=60)


@asynccontextmanager
async def serving(
    options: AppOptions | None = None,
    board: Board | None = None,
    limits: HttpLimits | None = None,
    state: State | None = None,
) -> AsyncIterator[Server]:
    """Two servers around one board and one state are two replicas. Without `options` operators need no key."""
    options = options or AppOptions(rest=RestOptions(admin_open=lambda: True))
    board, drain, shutdown = board or Board(), Drain(), asyncio.Event()
    app = ServingApp(board, drain, state or MemoryState(clock=time.time), options)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_http(app, host="127.0.0.1", port=0, shutdown=shutdown, bound=port.set_result, limits=limits)
        )
        hints = group.create_task(app.run())
        try:
            yield Server(f"http://127.0.0.1:{await port}", board, app, drain, shutdown)
        finally:
            drain.begin()
            shutdown.set()
            hints.cancel()
            app.close()


def rpc(method: str, params: JsonObject | None = None, identifier: Any = 1) -> JsonObject:
    message: JsonObject = {"jsonrpc": "2.0", "method": method, "id": identifier}
    if params is not None:
        message["params"] = params
    return message


MODERN = "2026-07-28"


def envelope(method: str, params: JsonObject | None = None, identifier: Any = 1, **meta: Any) -> JsonObject:
    """A 2026-07-28 request body."""
    own = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        **meta,
    }
    return rpc(method, {**(params or {}), "_meta": own}, identifier)


def modern_headers(method: str, name: str | None = None) -> dict[str, str]:
    headers = {
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        "accept": "application/json, text/event-stream",
    }
    return {**headers, "mcp-name": name} if name else headers


def initialize(identifier: Any = 0) -> JsonObject:
    info = {"name": "test", "version": "1"}
    return rpc(
        "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}, identifier
    )


async def open_session(client: httpx2.AsyncClient, path: str = "/mcp") -> str:
    answer = await client.post(path, json=initialize())
    assert answer.status_code == 200, answer.text
    session: str = answer.headers["mcp-session-id"]
    await client.post(
        path,
        json={"jsonrpc": "2.0", "method": "notifications/initialized"},
        headers={"mcp-session-id": session},
    )
    return session


def call(code: str, identifier: Any = 1, **arguments: Any) -> JsonObject:
    return rpc("tools/call", {"name": "execute", "arguments": {"code": code, **arguments}}, identifier)
