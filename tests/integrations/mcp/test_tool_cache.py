from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from mcp.client import Client
from mcp.server.mcpserver import MCPServer

from integrations.mcp.errors import McpError
from integrations.mcp.servers import McpLimits
from integrations.mcp.session import McpSession
from integrations.mcp.tool_cache import ToolCache, announces_changes, listen
from integrations.mcp.toolset import make_toolset
from tests.integrations.mcp.http_server import answer_error, raw_http
from tests.integrations.mcp.running import PATIENCE, QUICK, raw_server, running


def tool(name: str) -> MCPServer:
    server = MCPServer("shop")
    server.add_tool(lambda: name, name=name, description="does it")
    return server


@asynccontextmanager
async def session_to(server: MCPServer) -> AsyncIterator[McpSession]:
    async with Client(server, cache=None) as client:
        yield McpSession(client, "stdio")


def tool_cache(**limits: float) -> ToolCache:
    return ToolCache("shop", make_toolset, McpLimits(**limits))  # type: ignore[arg-type]


def names(one: ToolCache) -> list[str]:
    return [tool.name for tool in one.toolset.tools if "." not in tool.name]


async def test_only_a_different_list_is_a_new_toolset() -> None:
    one = tool_cache()
    async with session_to(tool("a")) as session:
        assert await one.refresh(session)
        first = one.toolset
        assert not await one.refresh(session)
        assert one.toolset is first
    async with session_to(tool("b")) as session:
        assert await one.refresh(session)
    assert (names(one), one.listed) == (["b"], True)


async def test_nothing_is_not_put_in_the_place_of_something() -> None:
    one = tool_cache()
    async with session_to(tool("a")) as session:
        await one.refresh(session)
    async with session_to(MCPServer("shop")) as session:
        assert not await one.refresh(session)
    assert names(one) == ["a"]


async def test_a_listing_that_takes_too_long_is_an_error() -> None:
    one = tool_cache(list_seconds=0.0)
    async with session_to(tool("a")) as session:
        with pytest.raises(McpError):
            await one.refresh(session)
    assert not one.listed


async def test_when_the_next_listing_is_due() -> None:
    one = tool_cache(refresh_seconds=100.0, shortest_refresh_seconds=10.0)
    assert one.due_in() <= 0
    one.schedule(None)
    assert 90 < one.due_in() <= 100
    one.schedule(50.0)
    assert 40 < one.due_in() <= 50
    one.schedule(0.001)
    assert 5 < one.due_in() <= 10
    one.schedule(50.0)
    one.refresh_soon()
    assert 5 < one.due_in() <= 10
    one.refresh_soon(at_once=True)
    assert one.due_in() <= 0


async def test_all_pages_are_read() -> None:
    async with running(raw_server("pages")) as one:
        assert one.names == [f"t{index}" for index in range(9)]


@pytest.mark.parametrize(("limits", "count"), [(replace(QUICK, pages=2), 6), (replace(QUICK, tools=4), 4)])
async def test_pages_and_tools_are_bounded(limits: object, count: int) -> None:
    async with running(raw_server("pages"), limits=limits) as one:  # type: ignore[arg-type]
        assert len(one.names) == count


async def test_a_cursor_that_goes_round_ends_the_listing() -> None:
    async with running(raw_server("circle")) as one:
        assert one.names == ["t"]
        assert "listed twice" in one.upstream.toolset.warnings[0]


async def test_a_server_without_tools_offers_none() -> None:
    async with raw_http() as http:
        http.capabilities = {}
        http.refuse = lambda method, seen: (
            answer_error(seen, -32601, "Method not found") if method == "tools/list" else None
        )
        async with running(http.server) as one:
            assert one.status == {"status": "connected"}
            assert one.upstream.listed
            assert one.names == []
            asked = [seen for seen in http.echo.log if b"tools/list" in seen.body]
            one.upstream.refresh()
            assert len(asked) == 1


async def test_a_listing_that_breaks_the_protocol_says_where() -> None:
    async with running(raw_server("broken list")) as one:
        assert one.status == {"status": "connected"}
        assert one.upstream.toolset.warnings == (
            "raw: tool number 1 left out: name: Input should be a valid string",
            "raw: it offers nothing that can become a tool",
        )


# Recipe 19.
async def test_tools_that_are_not_declared_are_listed_once_and_used_with_a_warning() -> None:
    async with raw_http() as http:
        http.capabilities = {}
        async with running(http.server) as one:
            assert one.names == ["write", "read"]
            assert "without declaring the `tools` capability" in one.upstream.toolset.warnings[0]
            assert await one.data("write") == "fine"


async def test_changes_are_told_from_the_moment_the_stream_is_there() -> None:
    server, told = MCPServer("shop"), asyncio.Event()
    async with Client(server, cache=None) as client, asyncio.TaskGroup() as tasks:
        session = McpSession(client, "stdio")
        assert announces_changes(session)
        task = tasks.create_task(listen(session, told.set))
        async with asyncio.timeout(PATIENCE):
            await told.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_server_that_does_not_know_the_method_is_left_alone() -> None:
    server = MCPServer("shop", subscriptions=False)
    async with Client(server, cache=None) as client, asyncio.timeout(PATIENCE):
        session = McpSession(client, "stdio")
        assert not announces_changes(session)
        await listen(session, lambda: None)


async def test_a_server_of_the_old_era_is_not_asked() -> None:
    async with running(raw_server()) as one:
        assert await one.data("echo", text="x") == "x"
