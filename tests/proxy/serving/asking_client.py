"""The real client with a person behind it, against one of our servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.proxy.serving.support import MODERN, Server

LEGACY = "legacy"
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
