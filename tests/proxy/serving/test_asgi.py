"""The real Python SDK client against the whole application, in both protocol eras."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.proxy.serving.support import Server, serving

MODES = ["legacy", "2026-07-28", "auto"]


@asynccontextmanager
async def sdk_client(server: Server, mode: str, path: str = "/mcp") -> AsyncIterator[Client]:
    async with server.client() as http:
        transport = streamable_http_client(server.url + path, http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", MODES)
async def test_lists_and_calls(mode: str) -> None:
    async with serving() as server, sdk_client(server, mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["execute", "resume"]
        assert "revision 1" in (listed.tools[0].description or "")
        result = await client.call_tool("execute", {"code": "return 42"})
        assert result.content[0].text == "42"
        assert result.structured_content["catalogRevision"] == "r1"
