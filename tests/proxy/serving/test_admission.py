"""What each kind of MCP request is answered with, over real HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.serving.admission import AdmissionOptions, McpRoute, mcp_route
from proxy.serving.app import AppOptions
from proxy.serving.http.errors import RateLimited
from proxy.telemetry.traces import Traces
from tests.proxy.serving.support import (
    Board,
    call,
    envelope,
    initialize,
    modern_headers,
    open_session,
    rpc,
    serving,
)
from tests.proxy.support import logged


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/mcp", McpRoute("mcp", resource_path="/mcp")),
        ("/mcp/", McpRoute("mcp", resource_path="/mcp")),
        ("/v1/mcp", McpRoute("v1", resource_path="/v1/mcp")),
        ("/mcp/anonymous", McpRoute("anonymous", anonymous=True)),
        ("/v1/mcp/anonymous", McpRoute("anonymous", anonymous=True)),
        ("/ws_team-1.x/mcp", McpRoute("workspace", "ws_team-1.x", resource_path="/ws_team-1.x/mcp")),
    ],
)
def test_mcp_paths(path: str, route: McpRoute) -> None:
    assert mcp_route(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mcpx",
        "/a/b/mcp",
        "/../mcp",
        "/ws%2fx/mcp",
        "/ws/mcp/anonymous",
        "//mcp",
        "/w\n/mcp",
        "/healthz",
    ],
)
def test_other_paths(path: str) -> None:
    assert mcp_route(path) is None


def check(
    answer: httpx2.Response, status: int, code: int, words: str = "", id: str | int | None = None
) -> None:
    """Status, JSON-RPC code, and the exact shape of the body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"jsonrpc", "error", "id"}
    assert body["jsonrpc"] == "2.0"
    assert body["id"] == id
    assert set(body["error"]) <= {"code", "message", "data"}
    assert body["error"]["code"] == code
    assert words in body["error"]["message"]
    assert answer.headers["x-request-id"]


async def test_notification_is_202_and_deleting_a_session_204() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        headers = {"mcp-session-id": session}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        accepted = await client.post("/mcp", json=note, headers=headers)
        assert (accepted.status_code, accepted.content) == (202, b"")
        ended = await client.delete("/mcp", headers=headers)
        assert (ended.status_code, ended.content) == (204, b"")
        check(await client.post("/mcp", json=call("return 1"), headers=headers), 404, -32001)


async def test_preflight_is_204_without_a_caller() -> None:
    async with serving() as server, server.client(None) as client:
        asked = {"origin": server.url, "access-control-request-method": "POST"}
        answer = await client.options("/mcp", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == server.url
        assert answer.headers["access-control-allow-methods"] == "GET, POST, DELETE, OPTIONS"
        for name in (
            "authorization",
            "x-api-key",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
        ):
            assert name in answer.headers["access-control-allow-headers"]


async def test_cors_headers_are_on_errors_too() -> None:
    async with serving() as server, server.client(None) as client:
        answer = await client.post("/mcp", json=initialize(), headers={"origin": server.url})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == server.url
        assert (
            answer.headers["access-control-expose-headers"] == "mcp-session-id, www-authenticate, retry-after"
        )
        assert answer.headers["vary"] == "Origin"


async def test_get_without_session_is_400() -> None:
    async with serving() as server, server.client() as client:
        check(await client.get("/mcp"), 400, -32000, "mcp-session-id")
        check(await client.post("/mcp", json=call("return 1")), 400, -32000, "mcp-session-id")
        check(await client.delete("/mcp"), 400, -32000, "mcp-session-id")


async def test_missing_workspace_is_400_and_names_the_parameter() -> None:
    async with serving() as server, server.client() as client:
        check(await client.post("/mcp/anonymous", json=initialize()), 400, -32000, "workspaceId")
        fine = await client.post("/v1/mcp/anonymous?workspaceId=ws_one", json=initialize())
        assert fine.status_code == 200


async def test_unknown_caller_is_401_with_a_challenge() -> None:
    async with serving() as server:
        async with server.client(None) as client:
            answer = await client.post("/mcp", json=initialize())
            check(answer, 401, -32001)
            assert answer.headers["www-authenticate"] == 'Bearer realm="executor"'
        async with server.client("wrong") as client:
            answer = await client.post("/mcp", json=initialize())
            check(answer, 401, -32001)
            assert answer.headers["www-authenticate"] == 'Bearer realm="executor", error="invalid_token"'


async def test_key_of_another_workspace_is_403() -> None:
    async with serving() as server, server.client("eve") as client:
        check(await client.post("/ws_one/mcp", json=initialize()), 403, -32001)
        assert (await client.post("/ws_two/mcp", json=initialize())).status_code == 200


async def test_session_of_another_bearer_is_403() -> None:
    async with serving() as server, server.client() as alice, server.client("bob") as bob:
        session = await open_session(alice)
        headers = {"mcp-session-id": session}
        words = "MCP session does not belong to the current bearer"
        check(await bob.post("/mcp", json=call("return 1"), headers=headers), 403, -32003, words)
        check(await bob.get("/mcp", headers=headers), 403, -32003, words)
        check(await bob.delete("/mcp", headers=headers), 403, -32003, words)
        async with server.client("alice-too") as other_key:
            answer = await other_key.post("/mcp", json=call("return 1"), headers=headers)
            assert answer.status_code == 200


async def test_unknown_session_is_404() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-session-id": "mcp_0"}
        check(
            await client.post("/mcp", json=call("return 1"), headers=headers),
            404,
            -32001,
            "Session not found",
        )
        check(await client.get("/mcp", headers=headers), 404, -32001)


async def test_other_methods_are_405_before_auth() -> None:
    async with serving() as server, server.client(None) as client:
        answer = await client.put("/mcp", json={})
        check(answer, 405, -32001)
        assert answer.headers["allow"] == "GET, POST, DELETE, OPTIONS"


async def test_get_and_delete_of_the_modern_era_are_405() -> None:
    async with serving() as server, server.client() as client:
        headers = {"mcp-protocol-version": "2026-07-28"}
        check(await client.get("/mcp", headers=headers), 405, -32001)
        check(await client.delete("/mcp", headers=headers), 405, -32001)


async def test_large_body_is_413() -> None:
    async with serving() as server, server.client() as client:
        big = b" " * (1024 * 1024 + 1)
        headers = {"content-type": "application/json"}
        check(await client.post("/mcp", content=big, headers=headers), 413, -32600, "1048576")


async def test_large_chunked_body_is_413_and_does_not_hang() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    async with serving() as server, server.client() as client:
        headers = {"content-type": "application/json"}
        check(await client.post("/mcp", content=chunks(), headers=headers), 413, -32600)
        assert (await client.get("/healthz")).status_code == 200


async def test_refused_request_with_a_large_body_does_not_hang() -> None:
    async with serving() as server, server.client(None) as client:
        headers = {"content-type": "application/json"}
        check(await client.post("/mcp", content=b" " * 900_000, headers=headers), 401, -32001)


async def test_wrong_content_type_is_415() -> None:
    async with serving() as server, server.client() as client:
        check(await client.post("/mcp", content=b"{}", headers={"content-type": "text/plain"}), 415, -32600)
        check(await client.post("/mcp", content=b"{}"), 415, -32600)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc":"1.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"x"}', -32600),
    ],
)
async def test_bad_messages_are_400(body: bytes, code: int) -> None:
    async with serving() as server, server.client() as client:
        check(
            await client.post("/mcp", content=body, headers={"content-type": "application/json"}), 400, code
        )


async def test_rate_limit_is_429_and_names_the_limit() -> None:
    async with serving(board=Board(limit=1)) as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        assert (await client.post("/mcp", json=call("return 1", 3), headers=headers)).status_code == 200
        answer = await client.post("/mcp", json=call("return 1", "four"), headers=headers)
        check(answer, 429, -32029, "`per-workspace`", "four")
        assert answer.headers["retry-after"] == "12"
        assert answer.json()["error"]["data"] == {"limit": "per-workspace", "retryAfterMs": 11500}


class Limited(Board):
    """Every counted request is one too many."""

    def __init__(self, as_result: bool = False) -> None:
        super().__init__()
        self.as_result = as_result

    async def check_request_limit(self, principal: object, ip: str) -> None:
        raise RateLimited("all", 11.5, as_result=self.as_result)


async def test_what_keeps_a_session_going_does_not_count() -> None:
    async with serving(board=Limited()) as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        done = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}
        answer = {"jsonrpc": "2.0", "id": "no-question", "result": {}}
        for body in (rpc("tools/list"), rpc("ping"), done, answer):
            assert (await client.post("/mcp", json=body, headers=headers)).status_code in (200, 202)
        for method in ("tools/list", "server/discover"):
            listed = await client.post("/mcp", json=envelope(method), headers=modern_headers(method))
            assert listed.status_code == 200
        assert (await client.post("/mcp", json=call("return 1"), headers=headers)).status_code == 429
        garbage = await client.post("/mcp", content=b"{", headers={"content-type": "application/json"})
        assert garbage.status_code == 429
        assert (await client.delete("/mcp", headers=headers)).status_code == 204


async def test_a_refused_call_can_be_a_tool_result() -> None:
    async with serving(board=Limited(as_result=True)) as server, server.client() as client:
        headers = {"mcp-session-id": await open_session(client)}
        legacy = await client.post("/mcp", json=call("return 1", "a"), headers=headers)
        modern = await client.post(
            "/mcp",
            json=envelope("tools/call", {"name": "execute", "arguments": {"code": "return 1"}}, 7),
            headers=modern_headers("tools/call", "execute"),
        )
        other = await client.post("/mcp", json=rpc("prompts/list", {}, 8), headers=headers)
    for answer, identifier in ((legacy, "a"), (modern, 7)):
        body = answer.json()
        assert (answer.status_code, body["id"], body["result"]["isError"]) == (200, identifier, True)
        text = body["result"]["content"][0]["text"]
        assert text == "Rate limit `all` is used up. Try again in 12 s."
    check(other, 429, -32029, "`all`", 8)


async def test_a_limit_that_no_config_names_says_where_it_comes_from() -> None:
    error = RateLimited("per-workspace", 3, origin="built in: 100 in 60 s per workspace")
    assert error.sentence("Rate limit") == (
        "Rate limit `per-workspace` (built in: 100 in 60 s per workspace) is used up. Try again in 3 s."
    )


BIG = "x" * 2_000_000


@pytest.mark.parametrize(
    ("body", "identifier"),
    [
        ('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"code":"%s"}}', 7),
        ('{"method":"tools/call","params":{"id":1,"code":"%s"},"jsonrpc":"2.0","id":"last"}', "last"),
        ('{"method":"tools/call","params":{"code":"%s"},"id":8,"jsonrpc":"2.0"}', 8),
        ('{"method":"tools/call","params":{"code":"%s","id":5}}', None),
        ('{"method":"tools/call","code":"%s\\"id\\":5}', None),
        ("%s", None),
    ],
)
async def test_the_id_of_what_is_too_large(body: str, identifier: str | int | None) -> None:
    headers = {"content-type": "application/json"}
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", content=(body % BIG).encode(), headers=headers)
    check(answer, 413, -32600, "1048576", identifier)


async def test_defect_is_500_with_eight_digits_and_no_cause(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Board):
        async def check_request_limit(self, principal: object, ip: str) -> None:
            raise RuntimeError("the secret cause")

    with caplog.at_level(logging.ERROR):
        async with serving(board=Broken()) as server, server.client() as client:
            answer = await client.post("/mcp", json=call("return 1"))
    check(answer, 500, -32603, "Internal error [")
    assert "secret" not in answer.text
    reference = answer.json()["error"]["message"].removeprefix("Internal error [").removesuffix("]")
    assert len(reference) == 8
    assert f"id={reference}" in logged(caplog)
    assert "the secret cause" in logged(caplog)


async def test_auth_provider_down_is_503_and_the_session_survives() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        server.board.auth_down = True
        answer = await client.post("/mcp", json=call("return 1"), headers={"mcp-session-id": session})
        check(answer, 503, -32001)
        server.board.auth_down = False
        answer = await client.post("/mcp", json=call("return 1"), headers={"mcp-session-id": session})
        assert answer.status_code == 200


async def test_draining_is_503_for_new_work() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        server.drain.begin()
        headers = {"mcp-session-id": session}
        for answer in (
            await client.post("/mcp", json=initialize()),
            await client.post("/mcp", json=call("return 1"), headers=headers),
            await client.get("/mcp", headers=headers),
            await client.post("/mcp", json=envelope("tools/list"), headers=modern_headers("tools/list")),
        ):
            check(answer, 503, -32001, "shutting down")
            assert answer.headers["retry-after"] == "5"
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}
        assert (await client.post("/mcp", json=note, headers=headers)).status_code == 202


async def test_every_path_leads_to_the_endpoint() -> None:
    async with serving() as server, server.client() as client:
        for path in ("/mcp", "/v1/mcp", "/ws_one/mcp", "/mcp/", "/mcp?workspaceId=ws_one"):
            assert (await client.post(path, json=initialize())).status_code == 200, path
        async with server.client(None) as nobody:
            answer = await nobody.post(
                "/mcp/anonymous?workspaceId=ws_one", json=initialize(), headers={"x-api-key": "bob"}
            )
            assert answer.status_code == 200
    assert {route for route, _ in server.board.finished} == {"mcp", "v1", "workspace", "anonymous"}


async def test_requests_are_counted_and_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="executor.access"):
        async with serving() as server, server.client() as client:
            session = await open_session(client, "/mcp?token=tok_in_query")
            await client.get("/mcp", headers={"mcp-session-id": "mcp_guess"})
    assert ("mcp", 200) in server.board.finished
    assert ("stream", 404) in server.board.finished
    lines = [line for line in logged(caplog).splitlines() if "request  " in line]
    assert len(lines) == 3
    assert all(secret not in line for line in lines for secret in (session, "mcp_guess", "tok_in_query"))


async def test_request_id_is_taken_when_harmless_and_replaced_when_not() -> None:
    async with serving() as server, server.client() as client:
        kept = await client.post("/mcp", json=initialize(), headers={"x-request-id": "trace-1.a_b"})
        assert kept.headers["x-request-id"] == "trace-1.a_b"
        replaced = await client.post("/mcp", json=initialize(), headers={"x-request-id": "a b;<script>"})
        assert len(replaced.headers["x-request-id"]) == 16


async def test_body_limit_is_configurable() -> None:
    options = AppOptions(admission=AdmissionOptions(max_body_bytes=64))
    async with serving(options) as server, server.client() as client:
        check(await client.post("/mcp", json=initialize()), 413, -32600, "64", 0)


async def test_handshake_without_capabilities_is_refused_with_its_id() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=rpc("initialize", {}, 7))
        assert answer.status_code == 400
        assert answer.json()["id"] == 7
        assert answer.json()["error"]["code"] == -32602
        assert "mcp-session-id" not in answer.headers


async def test_a_body_that_does_not_come_is_refused() -> None:
    options = AppOptions(admission=AdmissionOptions(body_seconds=0.05))
    async with serving(options) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /mcp HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer alice\r\n"
        writer.write(head.encode() + b"content-type: application/json\r\ncontent-length: 10\r\n\r\n{")
        answer = await asyncio.wait_for(reader.readuntil(b"within 0.05 s."), 60)
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_request_is_a_span_that_continues_the_callers_trace() -> None:
    bodies: list[bytes] = []

    def post(body: bytes) -> int:
        bodies.append(body)
        return 200

    trace = "0af7651916cd43dd8448eb211c80319c"
    traces = Traces(post, "1")
    options = AppOptions(admission=AdmissionOptions(spans=traces))
    async with serving(options) as server, server.client() as client:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        await client.get("/mcp", headers=headers)
    traces.close()
    sent = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    span = sent[0].resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.trace_id.hex()) == ("request", trace)
    noted = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    assert noted == {"http.request.method": "GET", "http.route": "mcp", "http.response.status_code": 400}
