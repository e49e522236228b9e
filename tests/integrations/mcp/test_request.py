from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.client import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError as SdkError
from mcp_types import HEADER_MISMATCH, CallToolResult, InputRequiredResult, ListToolsResult, TextContent, Tool

from integrations.base import Failure, Success
from integrations.mcp.errors import McpError
from integrations.mcp.request import send_request
from integrations.mcp.session import McpSession
from integrations.mcp.toolset import RequestPlan

ECHO = RequestPlan("tools/call", "echo")


def server(answer: Any) -> Server[Any]:
    """A server of the SDK in this process, whose one tool is `answer`."""

    async def listed(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="echo", input_schema={"type": "object"})], ttl_ms=0)

    async def called(context: Any, params: Any) -> Any:
        return answer(params)

    return Server("test", on_list_tools=listed, on_call_tool=called)


@asynccontextmanager
async def session_to(answer: Any) -> AsyncIterator[McpSession]:
    async with Client(server(answer), cache=None) as client:
        yield McpSession(client, "stdio")


def text(words: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=words)])


async def test_a_call_and_its_answer() -> None:
    async with session_to(lambda params: text(f"{params.name} {params.arguments}")) as session:
        assert await send_request(session, ECHO, {"a": 1}) == Success("echo {'a': 1}")


async def test_a_server_that_wants_to_be_asked_again_is() -> None:
    def answer(params: Any) -> Any:
        state = params.request_state
        return (
            text(f"after {state}")
            if state == "2"
            else InputRequiredResult(request_state=str(int(state or 0) + 1))
        )

    async with session_to(answer) as session:
        assert await send_request(session, ECHO, {}) == Success("after 2")


async def test_a_server_that_never_stops_asking_is_left() -> None:
    async with session_to(lambda params: InputRequiredResult(request_state="more")) as session:
        with pytest.raises(McpError) as caught:
            await send_request(session, ECHO, {}, rounds=2)
    assert (caught.value.kind, caught.value.sent) == ("protocol", True)


async def test_a_header_mismatch_is_cured_by_a_listing() -> None:
    """The first call is refused as stale; the tools are listed; the second goes through."""
    refused: list[int] = []

    def answer(params: Any) -> Any:
        if not refused:
            refused.append(1)
            raise SdkError(HEADER_MISMATCH, "stale")
        return text("fresh")

    async with session_to(answer) as session:
        assert await send_request(session, ECHO, {}) == Success("fresh")
        refused.clear()
        assert await send_request(session, ECHO, {}) == Success("fresh")


async def test_a_header_mismatch_that_stays_is_told() -> None:
    def answer(params: Any) -> Any:
        raise SdkError(HEADER_MISMATCH, "stale")

    async with session_to(answer) as session:
        result = await send_request(session, ECHO, {})
    assert isinstance(result, Failure)
    assert (result.code, result.message) == ("mcp_tool_error", "stale")


async def test_a_link_that_has_ended_is_not_used() -> None:
    async with session_to(lambda params: text("late")) as session:
        session.error = McpError("closed", "gone", sent=True)
        with pytest.raises(McpError) as caught:
            await send_request(session, ECHO, {})
    assert not caught.value.sent


async def test_an_error_of_the_server_is_a_failure() -> None:
    def answer(params: Any) -> Any:
        raise ValueError("internal matters")

    async with session_to(answer) as session:
        result = await send_request(session, ECHO, {})
    assert isinstance(result, Failure)
    assert result.code == "mcp_tool_error"
