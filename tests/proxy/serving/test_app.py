"""The real Python SDK client against the whole application, in both protocol eras."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError

from proxy.config import ElicitationMode
from proxy.serving.app import AppOptions, ServingApp
from proxy.serving.drain import Drain
from proxy.serving.mcp.tools import PAUSE_RULES
from proxy.serving.modes import ModeRules
from proxy.state.memory import MemoryState
from tests.proxy.serving.support import (
    Board,
    Server,
    envelope,
    modern_headers,
    open_session,
    rpc,
    serving,
)
from tests.proxy.support import logged

LEGACY, MODERN = "legacy", "2026-07-28"
ERAS = pytest.mark.parametrize("mode", [LEGACY, MODERN])


@asynccontextmanager
async def connected(server: Server, mode: str, path: str = "/mcp", **options: Any) -> AsyncIterator[Client]:
    async with server.client() as http:
        transport = streamable_http_client(server.url + path, http_client=http)
        async with Client(transport, mode=mode, cache=None, **options) as client:
            yield client


def text(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


@pytest.mark.parametrize("mode", [LEGACY, MODERN, "auto"])
async def test_lists_and_calls(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["execute", "resume"]
        assert "revision 1" in (listed.tools[0].description or "")
        result = await client.call_tool("execute", {"code": "return 42"})
        assert text(result) == "42"
        assert result.structured_content is not None
        assert result.structured_content["catalogRevision"] == "r1"
        assert (result.meta or {})["executor/config-sha256"] == "ab12"


@ERAS
async def test_schemas_say_what_is_checked(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        execute, resume = (await client.list_tools()).tools
        for tool in (execute, resume):
            Draft202012Validator.check_schema(tool.input_schema)
            assert tool.input_schema["additionalProperties"] is False
        assert set(execute.input_schema["properties"]) == {
            "code",
            "timeoutMs",
            "runtimeId",
            "sessionId",
            "metadata",
        }
        assert set(resume.input_schema["properties"]) == {"executionId", "action", "content", "interactionId"}
        assert execute.output_schema is not None
        Draft202012Validator.check_schema(execute.output_schema)


@ERAS
async def test_capabilities_and_instructions(mode: str) -> None:
    async with serving() as server, connected(server, "auto" if mode == MODERN else mode) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True
        assert client.server_capabilities.logging is not None
        assert "catalog revision r1.\n\nMore tools: demo.list()" in (client.instructions or "")


# What the config says, where the client connects, and which mode it gets: it cannot be asked.
MODES: list[tuple[ElicitationMode, str, ElicitationMode]] = [
    ("model", "/mcp", "model"),
    ("browser", "/mcp", "browser"),
    ("model", "/mcp?elicitation_mode=browser", "browser"),
    ("native", "/mcp", "browser"),  # it cannot show questions
]


@ERAS
async def test_instructions_go_on_from_the_description_of_the_same_mode(mode: str) -> None:
    """A rule of another length would end that elsewhere, and lose or repeat tools."""
    for rules, path, word in MODES:
        async with (
            serving(board=Board(modes=ModeRules(rules))) as server,
            connected(server, "auto" if mode == MODERN else mode, path=path) as client,
        ):
            description = (await client.list_tools()).tools[0].description or ""
            assert PAUSE_RULES[word] in description
            assert PAUSE_RULES[word] in (client.instructions or "")


@ERAS
async def test_resume_of_an_unknown_execution(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        result = await client.call_tool("resume", {"executionId": "exec_0", "action": "accept"})
        assert result.is_error
        assert (result.structured_content or {})["status"] == "execution_not_found"


@ERAS
async def test_wrong_arguments_are_a_result_that_names_the_field(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        result = await client.call_tool("execute", {"code": "return 1", "timeoutMs": 5})
        assert result.is_error
        assert text(result) == (
            "Invalid arguments for `execute`: `timeoutMs` must be an integer from 100 to 600000, not 5; "
            "leave it out if you do not need it."
        )
        assert server.board.requests == []


@ERAS
async def test_field_17_arguments_as_the_text_of_an_object(mode: str) -> None:
    async with serving() as server, server.client() as http:
        headers, call = await raw_call(http, mode, '{"code": "return 42"}')
        answer = (await http.post("/mcp", json=call, headers=headers)).json()
        assert answer["result"]["content"][0]["text"] == "42"
        for given, what in (("return 42", "a string that holds no JSON object"), (["x"], '["x"]'), (5, "5")):
            headers, call = await raw_call(http, mode, given)
            answer = (await http.post("/mcp", json=call, headers=headers)).json()
            assert answer["error"]["code"] == types.INVALID_PARAMS
            assert f"`arguments` is {what}; send an object" in answer["error"]["message"]


async def raw_call(
    http: httpx2.AsyncClient, mode: str, arguments: Any
) -> tuple[dict[str, str], dict[str, Any]]:
    params = {"name": "execute", "arguments": arguments}
    if mode == MODERN:
        return modern_headers("tools/call", "execute"), envelope("tools/call", params)
    return {"mcp-session-id": await open_session(http)}, rpc("tools/call", params)


@ERAS
async def test_unknown_tool_is_a_protocol_error(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("exec", {"code": "return 1"})
        assert caught.value.error.code == types.INVALID_PARAMS
        assert "execute and resume" in caught.value.error.message


@ERAS
async def test_a_defect_shows_eight_digits_and_no_cause(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("execute", {"code": "boom"})
    assert caught.value.error.code == types.INTERNAL_ERROR
    assert caught.value.error.message.startswith("Internal error [")
    assert "secret" not in str(caught.value.error)
    assert "the secret cause" in logged(caplog)


@ERAS
async def test_progress_for_every_inner_call(mode: str) -> None:
    seen: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with serving() as server, connected(server, mode) as client:
        await client.call_tool("execute", {"code": "calls 2"}, progress_callback=on_progress)
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert [message for _, message in seen][:2] == [
        "demo.org.main.get started",
        "demo.org.main.get ok in 2 ms",
    ]


@ERAS
@pytest.mark.parametrize("asked", [True, False])
async def test_console_lines_only_for_clients_that_asked(mode: str, asked: bool) -> None:
    lines: list[tuple[str, Any]] = []

    async def logged(params: types.LoggingMessageNotificationParams) -> None:
        lines.append((params.level, params.data))

    options: dict[str, Any] = {"log_level": "info"} if asked and mode == MODERN else {}
    async with serving() as server, connected(server, mode, logging_callback=logged, **options) as client:
        if asked and mode == LEGACY:
            request = types.SetLevelRequest(params=types.SetLevelRequestParams(level="info"))
            await client.session.send_request(request, types.EmptyResult)
        await client.call_tool("execute", {"code": "calls 2"})
    assert lines == ([("warning", "line 0"), ("warning", "line 1")] if asked else [])


@ERAS
async def test_cancelling_the_request_cancels_the_execution(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(client.call_tool("execute", {"code": "wait"}))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            running.cancel()
            await asyncio.wait_for(server.board.cancelled.wait(), 60)
        assert text(await client.call_tool("execute", {"code": "return 1"})) == "1"


async def test_a_handshake_client_hears_of_changed_tools_and_sees_the_new_description() -> None:
    heard = asyncio.Event()

    async def message(incoming: Any) -> None:
        if isinstance(incoming, types.ToolListChangedNotification):
            heard.set()

    async with serving() as server, connected(server, LEGACY, message_handler=message) as client:
        await client.list_tools()
        server.board.change()
        await asyncio.wait_for(heard.wait(), 60)
        listed = await client.list_tools()
        assert "revision 2" in (listed.tools[0].description or "")


async def test_a_modern_client_hears_of_changed_tools() -> None:
    async with serving() as server, connected(server, MODERN) as client:
        async with client.listen(tools_list_changed=True) as events:
            server.board.change("ws_two")
            server.board.change("ws_one")
            assert isinstance(await asyncio.wait_for(anext(events), 60), ToolsListChanged)


@ERAS
async def test_a_stale_description_is_told_in_the_result(mode: str) -> None:
    async with serving() as server, connected(server, mode) as client:
        await client.list_tools()
        assert "changed" not in text(await client.call_tool("execute", {"code": "return 1"}))
        server.board.change()
        stale = await client.call_tool("execute", {"code": "return 1"})
        assert [block.text for block in stale.content if isinstance(block, types.TextContent)] == [
            "1",
            "Tools of these integrations changed: demo.",
        ]
        again = await client.call_tool("execute", {"code": "return 1"})
        assert [block.text for block in again.content if isinstance(block, types.TextContent)] == ["1"]
        await client.list_tools()
        assert text(await client.call_tool("execute", {"code": "return 1"})) == "1"


async def test_the_session_is_the_execution_session_unless_one_is_named() -> None:
    async with serving() as server, connected(server, LEGACY) as client:
        await client.call_tool("execute", {"code": "return 1"})
        await client.call_tool("execute", {"code": "return 1", "sessionId": "mine"})
    first, second = server.board.requests
    assert (first.session_id or "").startswith("mcp_")
    assert second.session_id == "mine"


async def test_streams_end_when_draining_begins() -> None:
    async with serving() as server, connected(server, MODERN) as client:
        async with client.listen(tools_list_changed=True) as events:
            server.drain.begin()
            assert [event async for event in events] == []


async def test_a_new_application_per_start_and_none_listens_afterwards() -> None:
    board = Board()
    for _ in range(2):
        async with serving(board=board) as server, connected(server, LEGACY) as client:
            assert len(board.listeners) == 1
            assert text(await client.call_tool("execute", {"code": "return 1"})) == "1"
        assert board.listeners == []


async def test_other_scopes_are_answered() -> None:
    app = ServingApp(Board(), Drain(), MemoryState(clock=time.time), AppOptions())
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    incoming.append({"type": "websocket.connect"})
    await app({"type": "websocket"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]
    app.close()
