"""Recipe 05: an upstream that lost our session, whatever it answers then: status x body x read or write x era."""

from __future__ import annotations

import asyncio
import json

import pytest

from integrations.base import Credential, Failure
from tests.integrations.echo import Reply
from tests.integrations.mcp.http_server import RawHttp, answer_error, raw_http
from tests.integrations.mcp.running import PATIENCE, Running, running
from tests.integrations.mcp.sse_server import raw_sse

TEXT, PAGE, DATA, EVENTS = "text/plain", "text/html", "application/json", "text/event-stream"


def error(code: int, message: str, data: object = None) -> bytes:
    """An error that belongs to no request, as one is made before the request was read."""
    said = {"code": code, "message": message, **({} if data is None else {"data": data})}
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": said}).encode()


# What says that the session is unknown: the call was not run, so it is sent again, a write too.
SAYS_SO = [
    (TEXT, b"invalid session"),
    (TEXT, b"Session unknown, retry"),
    (PAGE, b"<html><body>Session expired</body></html>"),
    (DATA, b'{"error": "invalid session"}'),
    (DATA, b'{"message": "session not found"}'),
    (DATA, b'{"error": {"code": -32000, "message": "Bad Request: No valid session ID provided"}}'),
    (DATA, error(-32001, "Session not found")),
    (DATA, error(-32002, "Invalid session")),
    (DATA, error(-32000, "Bad Request", "unknown session")),
    (EVENTS, b"event: message\ndata: " + error(-32001, "Session not found") + b"\n\n"),
]
# What does not: the call fails once, as it may have been run, and the next one has a new session.
SILENT = [("", b""), (PAGE, b"<html><body>Welcome</body></html>")]
# Events that are no messages: their text may be a part of anything.
TORN = [
    (EVENTS, b"event: message\ndata: unknown session\n\n"),
    (EVENTS, b"event: error\ndata: unknown session\n\n"),
    (EVENTS, b""),
]
STATUSES = (200, 202, 400, 401, 403, 409, 422, 500, 502, 503)
NOT_RUN = (401, 403, 503)


def reply(status: int, kind: str, body: bytes) -> Reply:
    return Reply(status, [("Content-Type", kind)] if kind else [], body)


async def recovered(http: RawHttp) -> None:
    async with asyncio.timeout(PATIENCE):
        while http.sessions < 2:
            http.echo.arrived.clear()
            await http.echo.arrived.wait()


async def lost(http: RawHttp, one: Running, answer: Reply, tool: str) -> Failure | None:
    """The failure of the first call after the session was lost, None when that succeeded. The next one does."""
    http.unknown_session = answer
    http.forget()
    first = await one.call(tool)
    failure = first if isinstance(first, Failure) else None
    await recovered(http)
    assert await one.data(tool) == "fine"
    assert http.sessions == 2, "one new session is enough"
    assert http.calls == (1 if failure else 2)
    assert one.status == {"status": "connected"}
    return failure


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("tool", ["read", "write"])
@pytest.mark.parametrize(("kind", "body"), SAYS_SO)
async def test_an_answer_that_says_so_costs_one_new_session(
    kind: str, body: bytes, tool: str, modern: bool
) -> None:
    for status in STATUSES if tool == "write" and not modern else (200, 401, 500):
        async with raw_http() as http:
            http.modern = modern
            async with running(http.server) as one:
                assert await lost(http, one, reply(status, kind, body), tool) is None, status


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("tool", ["read", "write"])
@pytest.mark.parametrize("status", [*STATUSES, 204])
async def test_an_answer_that_says_nothing_is_told_and_the_next_call_works(
    status: int, tool: str, modern: bool
) -> None:
    for kind, body in SILENT if status != 204 else SILENT[:1]:
        async with raw_http() as http:
            http.modern = modern
            async with running(http.server) as one:
                failure = await lost(http, one, reply(status, kind, body), tool)
        assert failure is not None
        assert f"the server answered {status}" in failure.message
        unknown = tool == "write" and status not in NOT_RUN
        assert failure.details.get("outcome") == ("unknown" if unknown else None)
        assert failure.details["sent"] is (status not in NOT_RUN)


@pytest.mark.parametrize(("kind", "body"), TORN)
@pytest.mark.parametrize("status", [200, 202])
async def test_events_that_are_no_messages_leave_the_outcome_open(
    status: int, kind: str, body: bytes
) -> None:
    for tool in ("read", "write"):
        async with raw_http() as http, running(http.server) as one:
            failure = await lost(http, one, reply(status, kind, body), tool)
            assert (failure.details.get("outcome") if failure else None) == (
                "unknown" if tool == "write" else None
            )


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
async def test_a_server_of_another_era_in_the_same_place_is_found(before: bool, after: bool) -> None:
    """An update, or its withdrawal: it refuses what the other era sends, in words."""
    async with raw_http() as http:
        http.modern = before
        async with running(http.server) as one:
            http.modern = after
            said = reply(400, DATA, error(-32000, "Bad Request: No valid session ID provided"))
            assert await lost(http, one, said, "write") is None


@pytest.mark.parametrize("answer", [reply(403, "", b""), reply(200, PAGE, b"Welcome"), reply(204, "", b"")])
async def test_after_three_answers_without_a_word_the_session_is_opened_anew(answer: Reply) -> None:
    """The server lists its tools, so that only the calls tell."""
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: answer if method == "tools/call" and http.sessions < 2 else None
        for _ in range(3):
            await one.failure("write")
        assert await one.data("write") == "fine"
        assert http.sessions == 2


async def test_an_error_about_an_argument_is_not_taken_for_a_lost_session() -> None:
    """A new session would end what the tool keeps in the present one."""
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: (
            answer_error(seen, -32602, "Invalid params: session_id is required")
            if method == "tools/call"
            else None
        )
        assert (await one.failure("write")).code == "mcp_tool_error"
        assert http.sessions == 1


async def test_a_refused_credential_that_speaks_of_a_session_stays_one() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: (
            reply(401, TEXT, b"session expired, log in") if method == "tools/call" else None
        )
        failure = await one.failure("write")
        assert (failure.code, failure.status, http.sessions) == ("connection_rejected", 401, 2)
        await one.failure("write")
        assert http.sessions == 2, "a new session does not help, so no further one is opened"


@pytest.mark.parametrize("tool", ["read", "write"])
@pytest.mark.parametrize(
    "answer",
    [
        Reply(404, [("Content-Type", TEXT)], b"Could not find session"),
        Reply(400, [("Content-Type", TEXT)], b"Invalid session ID"),
        Reply(410),
        Reply(500, [("Content-Type", DATA)], error(-32001, "Session not found")),
    ],
)
async def test_the_oldest_transport_starts_a_session_anew_too(answer: Reply, tool: str) -> None:
    """One refused request ends the stream that all share; the answer to its POST says whose it was."""
    with raw_sse() as sse:
        async with running(sse.server) as one:
            assert await one.data(tool) == "fine"
            sse.unknown_session = answer
            sse.forget()
            assert await one.data(tool) == "fine"
            assert (len(sse.streams), sse.calls) == (2, 2)


async def test_over_the_oldest_transport_only_the_refused_write_is_sent_again() -> None:
    """What another caller had sent before was taken, and the stream for its answer ends with the session."""
    with raw_sse() as sse:
        async with running(sse.server) as one:
            sse.holds = True
            async with asyncio.TaskGroup() as group:
                before = group.create_task(one.failure("write"))
                assert await asyncio.to_thread(sse.taken.wait, PATIENCE)
                sse.holds = False
                sse.forget()
                assert await one.data("write") == "fine"
            assert before.result().details["outcome"] == "unknown"
            assert (len(sse.streams), sse.calls) == (2, 2)


async def test_a_stream_that_ends_and_a_server_that_falls_silent() -> None:
    """Without a word of the server, calls fail until some have failed in a row; then there is a new session."""
    with raw_sse() as sse:
        async with running(sse.server) as one:
            sse.close()
            assert await one.data("read") == "fine"
            sse.unknown_session = Reply(202)
            sse.forget()
            before = len(sse.streams)
            call = one.upstream.prepare("read", {})
            for _ in range(3):
                failure = await one.upstream.invoke(call, Credential(), 0.2)
                assert isinstance(failure, Failure)
                assert failure.code == "upstream_timeout"
            assert await one.data("read") == "fine"
            assert len(sse.streams) == before + 1


async def test_what_a_tool_says_of_a_session_is_its_own() -> None:
    """A result with `isError` is an answer of the tool, which ran. It may keep sessions of its own (a browser, a
    shell), and sending a write again because of its words would run it twice."""
    async with raw_http() as http, running(http.server) as one:
        http.result = {"isError": True, "content": [{"type": "text", "text": "Session not found"}]}
        for tool in ("read", "write"):
            failure = await one.failure(tool)
            assert (failure.code, failure.message) == ("mcp_tool_error", "Session not found")
        assert http.sessions == 1
