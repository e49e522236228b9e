"""Over HTTP: the egress guard (T24), renewed credentials, and what each refusal means for the call that met it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import orjson
import pytest

from integrations.base import SourceError
from integrations.http import EgressRules
from integrations.mcp.errors import McpError
from integrations.mcp.http_transport import GuardedTransport, HeaderRenewal
from tests.integrations.echo import Reply, Seen, echo_server
from tests.integrations.mcp.http_server import error_reply, on_calls, raw_http
from tests.integrations.mcp.running import QUICK, running


async def test_the_session_is_kept_and_given_back() -> None:
    async with raw_http() as http, running(http.server) as one:
        assert await one.data("write") == "fine"
        assert http.echo.log[-1].header("mcp-session-id") == "session-1"
        assert http.echo.log[-1].header("accept-encoding") == "identity"
    assert http.echo.log[-1].method == "DELETE"


@pytest.mark.parametrize(
    "reply", [Reply(404), error_reply(400, -32000, "Bad Request: No valid session ID provided")]
)
async def test_a_lost_session_is_repaired_once(reply: Reply) -> None:
    """A server that does not know the session has not run the call, so even a write is sent again."""
    async with raw_http() as http, running(http.server) as one:
        http.unknown_session = reply
        http.forget()
        assert await one.data("write") == "fine"
        assert (http.sessions, http.calls) == (2, 1)


async def test_a_session_that_is_lost_again_is_told() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = on_calls(Reply(404), 2)
        failure = await one.failure("write")
        assert (failure.code, failure.retryable) == ("mcp_connection_failed", True)
        assert http.calls == 0


async def test_an_answer_that_breaks_off_is_an_unknown_outcome() -> None:
    broken = Reply(200, [("Content-Type", "application/json")], b'{"json', "close", 100)
    async with raw_http() as http, running(http.server) as one:
        http.refuse = on_calls(broken)
        failure = await one.failure("write")
        assert (failure.code, failure.retryable) == ("mcp_connection_failed", False)
        assert failure.details == {"sent": True, "outcome": "unknown"}
        http.refuse = on_calls(broken)
        assert await one.data("read") == "fine"


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (403, "connection_rejected", False),
        (429, "mcp_connection_failed", True),
        (500, "mcp_connection_failed", False),
        (503, "mcp_connection_failed", True),
    ],
)
async def test_a_refusal_concerns_one_call(status: int, code: str, retryable: bool) -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = on_calls(Reply(status))
        failure = await one.failure("write")
        assert (failure.code, failure.retryable, failure.status) == (code, retryable, status)
        assert await one.data("write") == "fine"
        assert http.sessions == 1


async def test_a_401_in_a_call_is_tried_with_a_fresh_credential() -> None:
    tokens = iter(["old"])
    async with raw_http() as http:
        resolve: Any = lambda: {"Authorization": f"Bearer {next(tokens, 'new')}"}  # noqa: E731
        async with running(http.server, resolve=resolve) as one:
            http.refuse = lambda method, seen: (
                None if seen.header("authorization") == "Bearer new" else Reply(401)
            )
            assert await one.data("write") == "fine"
            assert (http.calls, http.sessions) == (1, 1)
            assert await one.data("write") == "fine"
            assert http.echo.log[-1].header("authorization") == "Bearer new"


async def test_a_401_for_one_tool_leaves_the_connection() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: Reply(401) if method == "tools/call" else None
        failure = await one.failure("write")
        assert (failure.code, failure.status) == ("connection_rejected", 401)
        http.refuse = lambda method, seen: None
        assert await one.data("write") == "fine"
        assert (one.status, http.sessions) == ({"status": "connected"}, 1)


async def test_a_call_under_way_when_another_finds_the_session_lost_is_not_sent_again() -> None:
    """The session ends under it: it may have taken effect, whatever the other call found."""
    waiting = asyncio.Event()

    def refuse(method: str, seen: Seen) -> Reply | None:
        if method != "tools/call" or waiting.is_set():
            return None
        waiting.set()
        return Reply(200, [("Content-Type", "application/json")], then="hang", length=10)

    async with raw_http() as http, running(http.server) as one:
        http.refuse = refuse
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(one.failure("write"))
            await waiting.wait()
            http.forget()
            second = tasks.create_task(one.data("write"))
        assert second.result() == "fine"
        assert (first.result().retryable, first.result().details) == (
            False,
            {"sent": True, "outcome": "unknown"},
        )
        assert http.calls == 1


async def test_a_stream_of_notifications_that_ends_at_once_is_given_up() -> None:
    async with echo_server() as echo:
        echo.answer = lambda seen: Reply(200, [("Content-Type", "text/event-stream")], b": nothing\n\n")
        guarded, _ = transport(EgressRules(origins=frozenset({echo.url})))
        async with httpx2.AsyncClient(transport=guarded, trust_env=False) as client:
            statuses = [(await client.get(echo.url)).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [405] * 2
        assert len(echo.log) == 5


async def test_a_401_that_stays_needs_a_sign_in() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: Reply(401)
        failure = await one.failure("write")
        assert (failure.code, failure.status) == ("connection_rejected", 401)
        await one.changes.until(lambda: one.status == {"status": "needs_auth"})
        assert one.upstream.listed


async def test_an_error_in_json_rpc_goes_to_the_caller() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = on_calls(error_reply(400, -32602, "quantity has to be positive"))
        failure = await one.failure("write")
        assert (failure.code, failure.message) == ("mcp_tool_error", "quantity has to be positive")
        assert failure.details == {"code": -32602}


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    async with raw_http() as http, running(http.server, limits=replace(QUICK, message_bytes=5_000)) as one:
        http.text = "x" * 10_000
        failure = await one.failure("read")
        assert (failure.code, failure.retryable) == ("upstream_response_too_large", False)


async def test_a_server_that_is_gone_is_failed_and_comes_back() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: Reply(200, then="close", length=10)
        failure = await one.failure("read")
        assert failure.code == "mcp_connection_failed"
        await one.changes.until(lambda: one.status["status"] == "failed")
        assert one.upstream.listed
        http.refuse = lambda method, seen: None
        await one.changes.until(lambda: one.status == {"status": "connected"})
        assert await one.data("write") == "fine"


async def test_one_request_a_call() -> None:
    async with raw_http() as http, running(http.server) as one:
        before = len(http.echo.log)
        for _ in range(5):
            await one.data("write")
        assert len(http.echo.log) - before == 5


@pytest.mark.parametrize("status", [302, 307])
async def test_t24_a_redirect_to_another_origin_is_not_followed(status: int) -> None:
    async with raw_http() as http, echo_server() as elsewhere, running(http.server) as one:
        http.refuse = on_calls(Reply(status, [("Location", elsewhere.url + "/mcp")]))
        failure = await one.failure("write")
        assert "not followed" in failure.message
        assert elsewhere.log == []


def transport(rules: EgressRules, **options: Any) -> tuple[GuardedTransport, list[McpError]]:
    told: list[McpError] = []
    return GuardedTransport(rules, 10_000, told.append, **options), told


async def post(guarded: GuardedTransport, url: str, body: bytes = b"{}") -> httpx2.Response:
    async with httpx2.AsyncClient(transport=guarded, trust_env=False) as client:
        return await client.post(url, content=body)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/mcp",
        "https://127.0.0.1:9/mcp",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/mcp",
        "https://10.0.0.1/mcp",
        "https://rebound.example/mcp",
    ],
)
async def test_t24_a_private_address_is_refused(url: str) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    guarded, _ = transport(EgressRules(), resolve=resolve)
    response = await post(guarded, url)
    error = orjson.loads(response.content)["error"]
    assert error["data"]["executor"] == "denied"
    assert error["data"]["sent"] is False
    # One lookup at most: an address that was checked is the one that is dialled.
    assert len(asked) <= 1


async def test_t24_no_connection_is_made_to_a_refused_address() -> None:
    async with echo_server() as echo:
        guarded, _ = transport(EgressRules())
        await post(guarded, echo.url)
        assert echo.log == []
        allowed, _ = transport(EgressRules(origins=frozenset({echo.url})))
        assert (await post(allowed, echo.url)).status_code == 200


async def test_a_notification_that_nobody_answers_holds_up_nothing() -> None:
    async with echo_server() as echo:
        echo.answer = lambda seen: Reply(202, then="hang", length=5)
        guarded, told = transport(EgressRules(origins=frozenset({echo.url})), one_way_seconds=0.05)
        body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
        response = await asyncio.wait_for(post(guarded, echo.url, body), 30)
        assert (response.status_code, told) == (202, [])


async def test_over_sse_a_message_that_is_refused_ends_the_connection() -> None:
    async with echo_server() as echo:
        echo.answer = lambda seen: Reply(500)
        guarded, told = transport(EgressRules(origins=frozenset({echo.url})), events=True)
        assert (await post(guarded, echo.url)).status_code == 202
        assert [(one.kind, one.status) for one in told] == [("http", 500)]


async def test_what_the_server_compresses_unasked_is_not_unpacked() -> None:
    async with echo_server() as echo:
        echo.answer = lambda seen: Reply(
            200, [("Content-Type", "application/json"), ("Content-Encoding", "gzip")], b"x"
        )
        guarded, _ = transport(EgressRules(origins=frozenset({echo.url})))
        response = await post(guarded, echo.url)
        assert orjson.loads(response.content)["error"]["data"]["executor"] == "protocol"


def request(**headers: str) -> httpx2.Request:
    return httpx2.Request(
        "POST", "https://mcp.example/", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def test_a_replaced_value_replaces_what_was_configured() -> None:
    renewal = HeaderRenewal(
        {"Authorization": "old", "X-Plain": "a"}, lambda: {"Authorization": "new", "X-More": "m"}
    )
    one = request(Authorization="old", X_Plain="a")
    renewal.apply(one)
    assert one.headers["authorization"] == "old"
    assert renewal.refresh()
    renewal.apply(one)
    assert (one.headers["authorization"], one.headers["x-plain"], one.headers["x-more"]) == ("new", "a", "m")


def test_the_same_value_is_nothing_new_to_try() -> None:
    renewal = HeaderRenewal({"Authorization": "old"}, lambda: {"Authorization": "old"})
    assert not renewal.refresh()


def test_what_the_sdk_set_is_left() -> None:
    renewal = HeaderRenewal({"Accept": "text/html"}, lambda: {"Accept": "text/plain"})
    assert renewal.refresh()
    one = request(Accept="application/json")
    renewal.apply(one)
    assert one.headers["accept"] == "application/json"


def test_a_value_that_is_missing_now_is_nothing_new() -> None:
    def renew() -> Mapping[str, str]:
        raise SourceError("TOKEN is not set")

    assert not HeaderRenewal({"Authorization": "old"}, renew).refresh()
