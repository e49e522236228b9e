from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp.client import Client
from mcp.server.mcpserver import MCPServer

from integrations.mcp.link import Link
from integrations.mcp.servers import Limits
from integrations.mcp.shelf import Shelf
from integrations.mcp.toolset import make_toolset
from integrations.mcp.trouble import Trouble


def tool(name: str) -> MCPServer:
    server = MCPServer("shop")
    server.add_tool(lambda: name, name=name, description="does it")
    return server


@asynccontextmanager
async def link_to(server: MCPServer) -> AsyncIterator[Link]:
    async with Client(server, cache=None) as client:
        yield Link(client, "stdio")


def shelf(**limits: float) -> Shelf:
    return Shelf("shop", make_toolset, Limits(**limits))  # type: ignore[arg-type]


def names(one: Shelf) -> list[str]:
    return [tool.name for tool in one.toolset.tools if "." not in tool.name]


async def test_only_a_different_list_is_a_new_toolset() -> None:
    one = shelf()
    async with link_to(tool("a")) as link:
        assert await one.list(link)
        first = one.toolset
        assert not await one.list(link)
        assert one.toolset is first
    async with link_to(tool("b")) as link:
        assert await one.list(link)
    assert (names(one), one.listed) == (["b"], True)


async def test_nothing_is_not_put_in_the_place_of_something() -> None:
    one = shelf()
    async with link_to(tool("a")) as link:
        await one.list(link)
    async with link_to(MCPServer("shop")) as link:
        assert not await one.list(link)
    assert names(one) == ["a"]


async def test_a_listing_that_takes_too_long_is_trouble() -> None:
    one = shelf(list_seconds=0.0)
    async with link_to(tool("a")) as link:
        with pytest.raises(Trouble):
            await one.list(link)
    assert not one.listed


async def test_when_the_next_listing_is_due() -> None:
    one = shelf(refresh_seconds=100.0, shortest_refresh_seconds=10.0)
    assert one.due_in() <= 0
    one.plan(None)
    assert 90 < one.due_in() <= 100
    one.plan(50.0)
    assert 40 < one.due_in() <= 50
    one.plan(0.001)
    assert 5 < one.due_in() <= 10
    one.plan(50.0)
    one.refresh_soon()
    assert 5 < one.due_in() <= 10
    one.refresh_soon(at_once=True)
    assert one.due_in() <= 0
