"""The real client with a person behind it, against one of our servers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from integrations.base import Secret
from proxy.serving.app import AppOptions
from proxy.serving.mcp.elicitation import Seals
from proxy.state.memory import MemoryState
from tests.proxy.serving.support import MODERN, Board, Server, initialize, serving

JsonObject = dict[str, Any]

LEGACY = "legacy"
NATIVE = "/mcp?elicitation_mode=native"
ERAS = (LEGACY, MODERN)
Answer = Callable[[Any], Awaitable[types.ElicitResult | types.ErrorData]]


class Person:
    """Says the same to every question and remembers what it was shown."""

    def __init__(self, action: Any = "accept", **content: Any) -> None:
        self._said = types.ElicitResult(action=action, content=content or None)
        self.shown: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.shown.append(params)
        return self._said


@asynccontextmanager
async def connected(
    server: Server, era: str, path: str = "/mcp", person: Any = None, token: str = "alice", **options: Any
) -> AsyncIterator[Client]:
    async with server.client(token) as http:
        transport = streamable_http_client(server.url + path, http_client=http)
        if person is not None:
            options["elicitation_callback"] = person
        async with Client(transport, mode=era, cache=None, **options) as client:
            yield client


def text(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


def structured(result: types.CallToolResult) -> dict[str, Any]:
    found = result.structured_content
    assert isinstance(found, dict)
    return found


KEYS = (Secret("k" * 32),)


@asynccontextmanager
async def replicas() -> AsyncIterator[tuple[Server, Server]]:
    """Two servers around one board and one state, with the same keys."""
    board, state = Board(), MemoryState(clock=time.time)
    options = AppOptions(seals=Seals(KEYS))
    async with serving(options, board, state=state) as here:
        async with serving(replace(options, seals=Seals(KEYS)), board, state=state) as there:
            yield here, there


async def native_session(client: httpx2.AsyncClient) -> dict[str, str]:
    body = initialize()
    body["params"]["capabilities"] = {"elicitation": {}}
    opened = await client.post(NATIVE, json=body)
    return {
        "mcp-session-id": opened.headers["mcp-session-id"],
        "accept": "application/json, text/event-stream",
    }


async def next_message(lines: AsyncIterator[str]) -> JsonObject:
    async for line in lines:
        if line.startswith("data: "):
            message: JsonObject = json.loads(line[6:])
            return message
    raise AssertionError("the stream has ended")


def accepted(asked: JsonObject) -> JsonObject:
    content = {"decision": "accept"}
    return {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": content}}
