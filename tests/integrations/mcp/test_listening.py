from __future__ import annotations

import asyncio
import contextlib

from mcp.client import Client
from mcp.server.mcpserver import MCPServer

from integrations.mcp.link import Link
from integrations.mcp.listening import announces_changes, listen
from tests.integrations.mcp.running import PATIENCE, raw_server, running


async def test_changes_are_told_from_the_moment_the_stream_is_there() -> None:
    server, told = MCPServer("shop"), asyncio.Event()
    async with Client(server, cache=None) as client, asyncio.TaskGroup() as tasks:
        link = Link(client, "stdio")
        assert announces_changes(link)
        task = tasks.create_task(listen(link, told.set))
        async with asyncio.timeout(PATIENCE):
            await told.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_server_that_does_not_know_the_method_is_left_alone() -> None:
    server = MCPServer("shop", subscriptions=False)
    async with Client(server, cache=None) as client, asyncio.timeout(PATIENCE):
        link = Link(client, "stdio")
        assert not announces_changes(link)
        await listen(link, lambda: None)


async def test_a_server_of_the_old_era_is_not_asked() -> None:
    async with running(raw_server()) as one:
        assert await one.data("echo", text="x") == "x"
