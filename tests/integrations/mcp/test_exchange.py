from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.client import Client
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, InputRequiredResult, ListToolsResult, TextContent, Tool

from integrations.base import Failure, Success
from integrations.mcp.exchange import exchange
from integrations.mcp.link import Link
from integrations.mcp.toolset import Plan
from integrations.mcp.trouble import Trouble

ECHO = Plan("tools/call", "echo")


def server(answer: Any) -> Server[Any]:
    """A server of the SDK in this process, whose one tool is `answer`."""

    async def listed(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="echo", input_schema={"type": "object"})], ttl_ms=0)

    async def called(context: Any, params: Any) -> Any:
        return answer(params)

    return Server("test", on_list_tools=listed, on_call_tool=called)


@asynccontextmanager
async def link_to(answer: Any) -> AsyncIterator[Link]:
    async with Client(server(answer), cache=None) as client:
        yield Link(client, "stdio")


def text(words: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=words)])


async def test_a_call_and_its_answer() -> None:
    async with link_to(lambda params: text(f"{params.name} {params.arguments}")) as link:
        assert await exchange(link, ECHO, {"a": 1}) == Success("echo {'a': 1}")


async def test_a_server_that_wants_to_be_asked_again_is() -> None:
    def answer(params: Any) -> Any:
        state = params.request_state
        return (
            text(f"after {state}")
            if state == "2"
            else InputRequiredResult(request_state=str(int(state or 0) + 1))
        )

    async with link_to(answer) as link:
        assert await exchange(link, ECHO, {}) == Success("after 2")


async def test_a_server_that_never_stops_asking_is_left() -> None:
    async with link_to(lambda params: InputRequiredResult(request_state="more")) as link:
        with pytest.raises(Trouble) as caught:
            await exchange(link, ECHO, {}, rounds=2)
    assert (caught.value.kind, caught.value.sent) == ("protocol", True)


async def test_a_link_that_has_ended_is_not_used() -> None:
    async with link_to(lambda params: text("late")) as link:
        link.trouble = Trouble("closed", "gone", sent=True)
        with pytest.raises(Trouble) as caught:
            await exchange(link, ECHO, {})
    assert not caught.value.sent


async def test_an_error_of_the_server_is_a_failure() -> None:
    def answer(params: Any) -> Any:
        raise ValueError("internal matters")

    async with link_to(answer) as link:
        result = await exchange(link, ECHO, {})
    assert isinstance(result, Failure)
    assert result.code == "mcp_tool_error"
