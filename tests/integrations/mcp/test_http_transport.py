"""Over HTTP: the egress guard (T24), renewed credentials, and what each refusal means for the call that met it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import orjson
import pytest

from integrations.base import SourceError
from integrations.http import EgressRules, user_agent
from integrations.mcp.errors import McpError
from integrations.mcp.http_transport import GuardedTransport, HeaderRenewal
from tests.integrations.echo import Reply, Seen, echo_server
from tests.integrations.mcp.http_server import answer_error, error_reply, on_calls, raw_http
from tests.integrations.mcp.running import PATIENCE, QUICK, running


async def test_the_session_is_kept_and_given_back() -> None:
    async with raw_http() as http, running(http.server) as one:
        assert await one.data("write") == "fine"
        assert http.echo.log[-1].header("mcp-session-id") == "session-1"
        assert http.echo.log[-1].header("accept-encoding") == "identity"
    assert http.echo.log[-1].method == "DELETE"


# Recipe 05: what servers in the field answer to a session that they have forgotten.
@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        error_reply(404, -32001, "Session not found"),
        error_reply(400, -32000, "Bad Request: No valid session ID provided"),
        Reply(400, [("Content-Type", "text/plain")], b"unknown session"),
        error_reply(500, -32000, "Bad Request: No valid session ID provided"),
        Reply(503, [], b"Session unknown, retry"),
        Reply(409, [("Content-Type", "text/plain")], b"stale session"),
        Reply(410),
        Reply(401, [], b"invalid session ID"),
        error_reply(200, -32001, "Session not found"),
        error_reply(200, -32600, "Invalid Request: Server not initialized: unknown session"),
    ],
)
async def test_a_lost_session_is_repaired_once(reply: Reply) -> None:
    """A server that does not know the session has not run the call, so even a write is sent again."""
    async with raw_http() as http, running(http.server) as one:
        http.unknown_session = reply
        http.forget()
        assert await one.data("write") == "fine"
        assert (http.sessions, http.calls) == (2, 1)


@pytest.mark.parametrize(
    "reply", [Reply(400), Reply(500, [], b"boom"), error_reply(500, -32603, "Internal error"), Reply(418)]
)
async def test_a_server_that_refuses_without_a_word_gets_a_new_session_by_the_next_call(reply: Reply) -> None:
    """Recipe 05: it cannot list its tools either, so the session is opened anew."""
    async with raw_http() as http, running(http.server) as one:
        http.unknown_session = reply
        http.forget()
        await one.failure("write")
        async with asyncio.timeout(PATIENCE):
            while http.sessions < 2:
                http.echo.arrived.clear()
                await http.echo.arrived.wait()
        assert await one.data("write") == "fine"
        assert (http.sessions, http.calls) == (2, 1)


async def test_after_three_refusals_in_a_row_the_session_is_opened_anew() -> None:
    """Recipe 05: the server lists its tools, but calls fail until it is initialised again."""
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: (
            answer_error(seen, -32603, "Internal error")
            if method == "tools/call" and http.sessions < 2
            else None
        )
        for _ in range(3):
            assert (await one.failure("write")).code == "mcp_tool_error"
        assert await one.data("write") == "fine"
        assert http.sessions == 2


async def test_a_tool_with_sessions_of_its_own_is_not_taken_for_ours() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.refuse = lambda method, seen: (
            answer_error(seen, -32000, "Session expired: open the browser")
            if method == "tools/call"
            else None
        )
        failure = await one.failure("write")
        assert "open the browser" in failure.message
        sessions = http.sessions
        assert sessions == 2
        assert "open the browser" in (await one.failure("write")).message
        assert http.sessions == sessions, "a new session does not help, so no further one is opened"


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


# Recipe 09.
@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_within_the_origin_is_followed_and_remembered(status: int) -> None:
    async with raw_http() as http:
        http.echo.replies["/mcp"] = [Reply(status, [("Location", "/mcp/")])]
        async with running(http.server) as one:
            assert await one.data("write") == "fine"
            asked = len([seen for seen in http.echo.log if seen.path == "/mcp"])
            assert await one.data("write") == "fine"
            assert len([seen for seen in http.echo.log if seen.path == "/mcp"]) == asked
            assert http.echo.log[-1].path == "/mcp/"


@pytest.mark.parametrize(
    ("status", "elsewhere"), [(301, False), (302, True), (303, False), (307, True), (308, True)]
)
async def test_t24_any_other_redirect_is_not_followed_and_says_where_it_leads(
    status: int, elsewhere: bool
) -> None:
    async with raw_http() as http, echo_server() as other:
        target = (other.url if elsewhere else http.echo.url) + "/elsewhere/"
        http.echo.replies["/mcp"] = [Reply(status, [("Location", target)])]
        secret = replace(http.server, headers={"X-Key": "k-secret-1"})
        async with running(secret) as one:
            assert one.status == {
                "status": "failed", "error": f"the endpoint redirects to {target}; set `url` to it"
            }  # fmt: skip
        assert other.log == []
        assert not [seen for seen in http.echo.log if seen.path == "/elsewhere/"]


async def test_t24_a_redirect_of_a_call_is_told_to_its_caller() -> None:
    async with raw_http() as http, echo_server() as other, running(http.server) as one:
        http.refuse = on_calls(Reply(307, [("Location", other.url + "/mcp")]))
        failure = await one.failure("write")
        assert f"redirects to {other.url}/mcp; set `url` to it" in failure.message
        assert failure.details["sent"] is False
        assert other.log == []


async def test_a_redirect_that_leads_nowhere_ends() -> None:
    async with raw_http() as http:
        http.echo.replies["/mcp"] = [Reply(307, [("Location", "/mcp")])]
        async with running(http.server) as one:
            assert "redirects more than 5 times" in one.status["error"]


# Recipe 08.
@pytest.mark.parametrize(
    ("encoding", "wbits"), [("gzip", 31), ("x-gzip", 31), ("deflate", 15), ("deflate", -15)]
)
async def test_answers_that_are_compressed_unasked_are_unpacked(encoding: str, wbits: int) -> None:
    async with raw_http() as http:
        plain = http.answer

        def compressed(seen: Seen) -> Reply:
            reply = plain(seen)
            engine = zlib.compressobj(wbits=wbits)
            body = engine.compress(reply.body) + engine.flush()
            return replace(reply, body=body, headers=[*reply.headers, ("Content-Encoding", encoding)])

        http.echo.answer = compressed
        async with running(http.server) as one:
            assert one.status == {"status": "connected"}
            assert await one.data("write") == "fine"
            http.forget()
            assert await one.data("write") == "fine", "a refusal is unpacked too"


async def test_a_compressed_stream_of_events_is_unpacked_as_it_comes() -> None:
    async with raw_http() as http:
        plain = http.answer

        def streamed(seen: Seen) -> Reply:
            reply = plain(seen)
            if reply.status != 200 or not reply.body:
                return reply
            headers = [(k, v) for k, v in reply.headers if k != "Content-Type"]
            headers += [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")]
            return replace(reply, headers=headers, body=gzip.compress(b"data: " + reply.body + b"\n\n"))

        http.echo.answer = streamed
        async with running(http.server) as one:
            assert await one.data("write") == "fine"


# Recipe 22.
@pytest.mark.parametrize(
    ("headers", "said"),
    [({}, user_agent()), ({"user-agent": "mine/1"}, "mine/1")],
)
async def test_the_user_agent_is_ours_unless_the_config_gives_one(headers: dict[str, str], said: str) -> None:
    async with raw_http() as http, running(replace(http.server, headers=headers)) as one:
        await one.data("write")
        assert {seen.header("user-agent") for seen in http.echo.log} == {said}


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


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", b"x", "protocol"),
        ("br", b"x", "protocol"),
        ("gzip", gzip.compress(bytes(1_000_000)), "too_large"),
    ],
)
async def test_t28_what_cannot_be_unpacked_or_grows_too_large(encoding: str, body: bytes, kind: str) -> None:
    async with echo_server() as echo:
        headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding)]
        echo.answer = lambda seen: Reply(200, headers, body)
        guarded, _ = transport(EgressRules(origins=frozenset({echo.url})))
        response = await post(guarded, echo.url)
        assert orjson.loads(response.content)["error"]["data"]["executor"] == kind


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
