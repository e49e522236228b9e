"""Native questions: the real client of each era, and a person who answers."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest
from mcp import Client

from proxy.executions import InteractionDecision
from proxy.serving.drain import Drain
from proxy.serving.mcp.client import ClientContext
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.mcp.modern import ChangeStreams
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.server import build_server
from proxy.serving.mcp.tool_calls import ServerOptions
from tests.proxy.serving.board import question
from tests.proxy.serving.mcp.elicitation_client import (
    ERAS,
    LEGACY,
    NATIVE,
    Person,
    connected,
    structured,
    text,
)
from tests.proxy.serving.support import (
    ALICE,
    MODERN,
    TOKENS,
    Board,
    call,
    initialize,
    serving,
)

BOTH = pytest.mark.parametrize("era", ERAS)
JsonObject = dict[str, Any]


@BOTH
@pytest.mark.parametrize(
    ("person", "status", "said"),
    [
        (Person("accept", decision="accept"), "completed", "accept"),
        (Person("accept", decision="decline"), "failed", "decline"),
        (Person("accept"), "failed", "decline"),
        (Person("decline"), "failed", "decline"),
        (Person("cancel"), "failed", "cancel"),
    ],
)
async def test_the_user_is_asked_and_the_answer_counts(
    era: str, person: Person, status: str, said: str
) -> None:
    async with serving() as server, connected(server, era, NATIVE, person) as client:
        before = len(person.shown)
        result = await client.call_tool("execute", {"code": "ask one"})
        assert structured(result)["status"] == status
        assert [one.action for one in server.board.paused["exec_1"].decided.values()] == [said]
        assert len(server.board.requests) == 1
        shown = person.shown[before]
        assert shown.message == question("one").message
        assert shown.requested_schema["properties"]["decision"]["enum"] == ["accept", "decline"]


@BOTH
async def test_over_a_pipe_as_well(era: str) -> None:
    board, person = Board(), Person("accept", decision="accept")
    pauses = Pauses(board, Seals(), Drain())
    server = build_server(
        board, ChangeStreams(), pauses, ServerOptions(), ClientContext(ALICE, requested_mode="native")
    )
    async with Client(server, mode=era, elicitation_callback=person) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["execute"]
        assert text(await client.call_tool("execute", {"code": "ask one"})) == "approved"
        assert text(await client.call_tool("resume", {"executionId": "exec_1"})) == "approved"
    assert len(person.shown) == 1


@BOTH
async def test_what_needs_another_person_is_not_asked_here(era: str) -> None:
    person = Person("accept", decision="accept")
    async with serving() as server, connected(server, era, NATIVE, person) as client:
        paused = await client.call_tool("execute", {"code": "human one"})
        assert structured(paused)["status"] == "user_approval_required"
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(client.call_tool("resume", {"executionId": "exec_1"}))
            await server.board.decide(
                "exec_1", {"*": InteractionDecision("accept")}, TOKENS["boss"], "browser"
            )
            assert text(await waiting) == "approved"
        assert person.shown == []


@BOTH
async def test_a_decision_from_elsewhere_ends_the_question(era: str) -> None:
    board, asked, withdrawn = Board(), asyncio.Event(), asyncio.Event()

    async def never(context: Any, params: Any) -> types.ElicitResult:
        asked.set()
        if era == MODERN:
            await board.decide("exec_1", {"*": InteractionDecision("accept")}, TOKENS["boss"], "browser")
            return types.ElicitResult(action="decline")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            withdrawn.set()
        raise AssertionError

    async with serving(board=board) as server, connected(server, era, NATIVE, never) as client:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(client.call_tool("execute", {"code": "ask one"}))
            await asyncio.wait_for(asked.wait(), 30)
            await board.decide("exec_1", {"*": InteractionDecision("accept")}, TOKENS["boss"], "browser")
            assert text(await running) == "approved"
        if era == LEGACY:
            await asyncio.wait_for(withdrawn.wait(), 30)


@BOTH
async def test_cancelling_while_the_question_is_open_leaves_the_pause(era: str) -> None:
    asked = asyncio.Event()

    async def never(context: Any, params: Any) -> types.ElicitResult:
        asked.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async with serving() as server, connected(server, era, NATIVE, never) as client:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(client.call_tool("execute", {"code": "ask one"}))
            await asyncio.wait_for(asked.wait(), 30)
            running.cancel()
        assert server.board.paused["exec_1"].decided == {}
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["execute"]


@BOTH
async def test_resume_asks_again(era: str) -> None:
    person = Person("accept", decision="accept")
    async with serving() as server:
        async with connected(server, era) as client:
            await client.call_tool("execute", {"code": "ask one"})
        async with connected(server, era, NATIVE, person) as client:
            done = await client.call_tool("resume", {"executionId": "exec_1"})
            assert text(done) == "approved"
            assert len(person.shown) == 1


async def test_a_client_that_answers_with_an_error_is_told_what_is_left() -> None:
    async def refuses(context: Any, params: Any) -> types.ErrorData:
        return types.ErrorData(code=types.METHOD_NOT_FOUND, message="no dialogue here")

    async with serving() as server, connected(server, LEGACY, NATIVE, refuses) as client:
        paused = await client.call_tool("execute", {"code": "ask one"})
        assert structured(paused)["status"] == "user_approval_required"
        assert "did not show the question" in text(paused)
        assert server.board.paused["exec_1"].decided == {}


async def test_a_handshake_client_that_takes_no_stream_gets_the_page() -> None:
    async with serving() as server, server.client(accept="application/json") as client:
        body = initialize()
        body["params"]["capabilities"] = {"elicitation": {}}
        opened = await client.post(NATIVE, json=body)
        headers = {"mcp-session-id": opened.headers["mcp-session-id"]}
        paused = await client.post("/mcp", json=call("ask one"), headers=headers)
        assert paused.json()["result"]["structuredContent"]["status"] == "user_approval_required"
        assert "no elicitation capability" in paused.json()["result"]["content"][0]["text"]
        assert server.board.requests[0].mode == "browser"
