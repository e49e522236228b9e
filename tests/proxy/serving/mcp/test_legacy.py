"""The handshake leg on the bus: what the SDK client does not show."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest

from integrations.base import Secret
from proxy.serving.app import AppOptions
from proxy.state.memory import MemoryState
from proxy.state.opening import open_state
from tests.proxy.serving.support import Board, Server, call, initialize, open_session, rpc, serving
from tests.proxy.state.servers import redis_server


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_handshake_version_is_negotiated(version: str) -> None:
    body = initialize()
    body["params"]["protocolVersion"] = version
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=body)
        result = answer.json()["result"]
        assert result["protocolVersion"] == version
        assert result["capabilities"]["tools"] == {"listChanged": True}
        assert "revision r1" in result["instructions"]
        headers = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": version}
        listed = await client.post("/mcp", json=rpc("tools/list"), headers=headers)
        assert [tool["name"] for tool in listed.json()["result"]["tools"]] == ["execute", "resume"]


async def test_an_unknown_version_is_answered_with_ours() -> None:
    body = initialize()
    body["params"]["protocolVersion"] = "1999-01-01"
    async with serving() as server, server.client() as client:
        assert (await client.post("/mcp", json=body)).json()["result"]["protocolVersion"] == "2025-11-25"


async def test_a_second_initialize_in_a_session_is_refused() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        answer = await client.post("/mcp", json=initialize(), headers={"mcp-session-id": session})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


async def test_a_request_before_the_initialized_notification_is_served() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=initialize())
        headers = {"mcp-session-id": answer.headers["mcp-session-id"]}
        assert (await client.post("/mcp", json=call("return 1"), headers=headers)).status_code == 200


async def test_methods_of_other_eras_are_unknown() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        for method in ("server/discover", "subscriptions/listen", "prompts/list", "no/such"):
            answer = await client.post("/mcp", json=rpc(method), headers=headers)
            assert answer.status_code == 200
            assert answer.json()["error"]["code"] in (-32601, -32602), method
        assert (await client.post("/mcp", json=rpc("ping"), headers=headers)).json()["result"] == {}


async def wait_with_id(
    client: httpx2.AsyncClient, server: Server, session: str, identifier: Any
) -> httpx2.Response:
    return await client.post("/mcp", json=call("wait", identifier), headers={"mcp-session-id": session})


async def test_duplicate_ids_in_flight_are_refused_and_types_are_kept_apart() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        headers = {"mcp-session-id": session}
        async with asyncio.TaskGroup() as group:
            first = group.create_task(wait_with_id(client, server, session, 1))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            again = await client.post("/mcp", json=call("return 1", 1), headers=headers)
            assert (again.status_code, again.json()["error"]["code"]) == (400, -32600)
            text = await client.post("/mcp", json=call("return 1", "1"), headers=headers)
            assert text.json()["id"] == "1"
            server.board.go_on.set()
        assert first.result().json()["id"] == 1
        assert (await client.post("/mcp", json=call("return 1", 1), headers=headers)).status_code == 200


async def test_cancelled_notification_ends_the_request_with_an_error() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        headers = {"mcp-session-id": session}
        async with asyncio.TaskGroup() as group:
            running = group.create_task(wait_with_id(client, server, session, 5))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            identifiers: list[Any] = [True, "5", None, [], 6, 5]
            for identifier in identifiers:
                note = {
                    "jsonrpc": "2.0",
                    "method": "notifications/cancelled",
                    "params": {"requestId": identifier},
                }
                assert (await client.post("/mcp", json=note, headers=headers)).status_code == 202
        assert running.result().json()["error"] == {"code": -32800, "message": "Request cancelled"}
        assert server.board.cancelled.is_set()


async def test_leaving_does_not_cancel_a_handshake_request() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        async with server.client() as leaving, asyncio.TaskGroup() as group:
            running = group.create_task(wait_with_id(leaving, server, session, 5))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            running.cancel()
        headers = {"mcp-session-id": session}
        again = await client.post("/mcp", json=call("return 1", 5), headers=headers)
        assert again.status_code == 400
        assert not server.board.cancelled.is_set()
        server.board.go_on.set()


async def test_deleting_the_session_cancels_what_runs_in_it() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(wait_with_id(client, server, session, 5))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            assert (await client.delete("/mcp", headers={"mcp-session-id": session})).status_code == 204
        assert running.result().json()["error"]["code"] == -32800


async def test_a_new_get_stream_replaces_the_old_one() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client), "accept": "text/event-stream"}
        async with client.stream("GET", "/mcp", headers=headers) as first:
            first_lines = first.aiter_lines()
            assert await anext(first_lines) == ": open"
            async with client.stream("GET", "/mcp", headers=headers) as second:
                second_lines = second.aiter_lines()
                assert await anext(second_lines) == ": open"
                assert [line async for line in first_lines if line] == []
                server.board.change()
                lines = [await anext(second_lines) for _ in range(3)]
                assert json.loads(lines[-1][6:])["method"] == "notifications/tools/list_changed"
                server.drain.begin()
                assert [line async for line in second_lines if line] == []


async def test_a_change_while_nobody_listened_is_told_on_the_next_stream() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client), "accept": "text/event-stream"}
        server.board.change("ws_two")
        server.board.change("ws_one")
        async with client.stream("GET", "/mcp", headers=headers) as stream:
            line = ""
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    break
            assert json.loads(line[6:])["method"] == "notifications/tools/list_changed"


async def test_a_client_that_leaves_its_stream_is_told_on_the_next_one() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        async with server.client() as leaving, leaving.stream("GET", "/mcp", headers=headers) as stream:
            assert await anext(stream.aiter_lines()) == ": open"
        await asyncio.wait_for(server.board.stream_ended.wait(), 60)
        (session,) = server.app.sessions
        assert session.local.stream is None
        server.board.change()
        assert session.local.announcement_due


async def test_a_get_stream_is_kept_alive_by_pings() -> None:
    async with serving(AppOptions(ping_seconds=0.02)) as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        async with client.stream("GET", "/mcp", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line == ": ping":
                    break
            assert stream.headers["content-type"] == "text/event-stream"


async def test_a_get_that_takes_no_stream_is_406() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client), "accept": "application/json"}
        assert (await client.get("/mcp", headers=headers)).status_code == 406


async def test_answers_to_questions_nobody_asked_are_accepted() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        answer = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "result": {}}, headers=headers)
        assert answer.status_code == 202


async def test_progress_is_streamed_and_the_session_id_is_on_the_stream() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        body = call("calls 1")
        body["params"]["_meta"] = {"progressToken": 7}
        answer = await client.post("/mcp", json=body, headers={"mcp-session-id": session})
        assert answer.headers["mcp-session-id"] == session
        assert [event.get("method") for event in events_of(answer.text)] == ["notifications/progress"] * 2 + [
            None
        ]


async def test_without_the_store_requests_are_503_and_the_session_survives() -> None:
    with redis_server(persistent=True) as redis:
        async with (
            open_state("redis", url=Secret(redis.url), keys=(Secret("k" * 16),)) as state,
            serving(state=state) as server,
            server.client() as client,
        ):
            headers = {"mcp-session-id": await open_session(client)}
            redis.kill()
            down = await client.post("/mcp", json=call("return 1"), headers=headers)
            assert (down.status_code, down.headers["retry-after"]) == (503, "2")
            assert "Sessions and paused executions are kept" in down.json()["error"]["message"]
            redis.start()
            async with asyncio.timeout(30):
                again = down
                while again.status_code == 503:
                    again = await client.post("/mcp", json=call("return 1"), headers=headers)
            assert again.json()["result"]["content"][0]["text"] == "1"


async def test_the_log_level_of_a_session_is_kept_for_other_replicas() -> None:
    board, state = Board(), MemoryState(clock=time.time)
    async with serving(board=board, state=state) as here, serving(board=board, state=state) as there:
        async with here.client() as client, there.client() as other:
            headers = {"mcp-session-id": await open_session(client)}
            await client.post("/mcp", json=rpc("logging/setLevel", {"level": "warning"}), headers=headers)
            answer = await other.post("/mcp", json=call("calls 1"), headers=headers)
            assert [event["params"]["data"] for event in events_of(answer.text)[:-1]] == ["line 0"]
