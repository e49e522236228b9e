"""The 2026-07-28 leg on the bus: what the SDK client does not show."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proxy.serving.mcp.modern import ChangeStreams
from tests.proxy.serving.support import Server, call, envelope, modern_headers, serving


def execute(code: str, identifier: Any = 1, **meta: Any) -> dict[str, Any]:
    return envelope("tools/call", {"name": "execute", "arguments": {"code": code}}, identifier, **meta)


HEADERS = modern_headers("tools/call", "execute")


async def test_one_post_is_enough_and_is_answered_as_json() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=execute("return 42", "abc"), headers=HEADERS)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert "mcp-session-id" not in answer.headers
        body = answer.json()
        assert body["id"] == "abc"
        assert body["result"]["content"] == [{"type": "text", "text": "42"}]
        assert body["result"]["resultType"] == "complete"
        assert list(server.app.sessions) == []


async def test_plain_curl_headers_are_enough() -> None:
    headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "execute",
        "accept": "*/*",
    }
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=execute("return 1"), headers=headers)
        assert answer.json()["result"]["structuredContent"]["status"] == "completed"


async def test_progress_turns_the_answer_into_a_stream_with_the_result_last() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=execute("calls 1", progressToken="p"), headers=HEADERS)
        assert answer.headers["content-type"] == "text/event-stream"
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        assert [event.get("method", "result") for event in events] == ["notifications/progress"] * 2 + [
            "result"
        ]
        assert events[0]["params"] == {
            "progressToken": "p",
            "progress": 1,
            "message": "demo.org.main.get started",
        }


async def test_a_client_that_takes_no_stream_gets_the_result_as_json() -> None:
    headers = {**HEADERS, "accept": "application/json"}
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=execute("calls 3", progressToken="p"), headers=headers)
        assert answer.json()["result"]["isError"] is False


async def test_leaving_cancels_the_execution() -> None:
    async with serving() as server:
        async with server.client() as client, asyncio.TaskGroup() as group:
            running = group.create_task(client.post("/mcp", json=execute("wait"), headers=HEADERS))
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            running.cancel()
        await asyncio.wait_for(server.board.cancelled.wait(), 60)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (execute("1"), {**HEADERS, "mcp-method": "tools/list"}, 400, -32020),
        (execute("1"), {**HEADERS, "mcp-name": "resume"}, 400, -32020),
        (call("1"), HEADERS, 400, -32602),
        (envelope("nothing/here"), modern_headers("nothing/here"), 404, -32601),
        (envelope("initialize"), modern_headers("initialize"), 404, -32601),
        (envelope("tools/call", {"name": "nope"}), modern_headers("tools/call", "nope"), 400, -32602),
    ],
)
async def test_the_ladder(body: dict[str, Any], headers: dict[str, str], status: int, code: int) -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (status, code, 1)


async def test_an_unknown_version_names_those_that_are_served() -> None:
    body = execute("1", **{"io.modelcontextprotocol/protocolVersion": "2099-01-01"})
    async with serving() as server, server.client() as client:
        answer = await client.post(
            "/mcp", json=body, headers={**HEADERS, "mcp-protocol-version": "2099-01-01"}
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, -32022)
        assert error["data"] == {"supported": ["2026-07-28"], "requested": "2099-01-01"}


async def test_an_envelope_without_its_header_is_told_so() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=execute("1"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


async def test_notifications_are_accepted_and_answers_are_not() -> None:
    async with serving() as server, server.client() as client:
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        headers = {"mcp-protocol-version": "2026-07-28"}
        assert (await client.post("/mcp", json=note, headers=headers)).status_code == 202
        unknown = await client.post("/mcp", json=note, headers={"mcp-protocol-version": "2099-01-01"})
        assert unknown.status_code == 400
        posted = {"jsonrpc": "2.0", "id": 1, "result": {}}
        assert (await client.post("/mcp", json=posted, headers=headers)).status_code == 400


async def test_listening_needs_a_stream() -> None:
    body = envelope("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    headers = {**modern_headers("subscriptions/listen"), "accept": "application/json"}
    async with serving() as server, server.client() as client:
        assert (await client.post("/mcp", json=body, headers=headers)).status_code == 406


async def read_events(server: Server, body: dict[str, Any], headers: dict[str, str]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with server.client() as client, client.stream("POST", "/mcp", json=body, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                if len(events) == 1:
                    server.board.change("ws_two")
                    server.board.change("ws_one")
                if len(events) == 2:
                    server.drain.begin()
    return events


async def test_a_listen_stream_acknowledges_tells_and_ends_on_purpose() -> None:
    body = envelope("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, "sub-1")
    async with serving() as server:
        events = await asyncio.wait_for(read_events(server, body, modern_headers("subscriptions/listen")), 60)
    assert [event.get("method", "result") for event in events] == [
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
        "result",
    ]
    assert events[1]["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "sub-1"


async def test_discovery_and_lists_carry_a_small_time_to_live() -> None:
    async with serving() as server, server.client() as client:
        found = await client.post(
            "/mcp", json=envelope("server/discover"), headers=modern_headers("server/discover")
        )
        assert found.json()["result"]["supportedVersions"] == ["2026-07-28"]
        listed = await client.post("/mcp", json=envelope("tools/list"), headers=modern_headers("tools/list"))
        for answer in (found, listed):
            assert answer.json()["result"]["ttlMs"] == 1000
            assert answer.json()["result"]["cacheScope"] == "private"


def test_announcing_without_listeners_is_nothing() -> None:
    changes = ChangeStreams()
    changes.announce(frozenset({"ws_one"}))
    changes.end_streams()
