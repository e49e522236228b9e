from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integrations.base import (
    Credential,
    Failure,
    InvalidArguments,
    JsonObject,
    Result,
    Success,
    UnknownTool,
)
from integrations.http import HttpClient
from integrations.openapi import CredentialPlaces, OpenApiUpstream
from integrations.openapi.toolset import make_toolset
from tests.integrations.echo import Echo, Reply, echo_server
from tests.integrations.openapi.documents import compiled, only_tool, operation, toolset_of


@asynccontextmanager
async def opened(document: JsonObject, **options: Any) -> AsyncIterator[tuple[Echo, OpenApiUpstream]]:
    async with echo_server() as echo, HttpClient() as http:
        settings = {"base_url": echo.url, "headers": {}, **options}
        yield echo, OpenApiUpstream(toolset_of(document), http, **settings)


async def call(
    upstream: OpenApiUpstream, arguments: JsonObject | None = None, seconds: float = 5.0
) -> Result:
    prepared = upstream.prepare(only_tool(upstream.toolset), arguments or {})
    return await upstream.invoke(prepared, Credential(), seconds)


def test_what_is_let_go_of_is_gone_at_once() -> None:
    """A reload replaces every upstream while callers are served, and looking for garbage then holds them up."""
    upstream = OpenApiUpstream(
        toolset_of(operation("/x", "get")), HttpClient(), base_url=None, headers={"a": "b"}
    )
    assert upstream.toolset.tools
    seen = weakref.ref(upstream)
    gc.disable()
    try:
        del upstream
        assert seen() is None
    finally:
        gc.enable()


async def test_a_prepared_call_says_what_will_be_sent() -> None:
    path = {"name": "id", "in": "path", "required": True, "schema": {}}
    page = {"name": "page", "in": "query", "schema": {"type": "integer"}}
    document = operation("/x/{id}", "patch", parameters=[path, page])
    async with opened(document) as (echo, upstream):
        prepared = upstream.prepare(only_tool(upstream.toolset), {"path": {"id": "a"}, "page": None})
        assert prepared.summary == f"PATCH {echo.url}/x/a"
        assert prepared.arguments == {"id": "a"}
        with pytest.raises(UnknownTool):
            upstream.prepare("nope", {})


async def test_what_the_integration_sets_is_neither_asked_nor_taken() -> None:
    header = {"name": "X-Api-Version", "in": "header", "required": True, "schema": {}}
    async with opened(operation(parameters=[header]), headers={"x-api-version": "1"}) as (echo, upstream):
        await call(upstream)
        assert echo.log[-1].header("x-api-version") == "1"
        with pytest.raises(InvalidArguments, match="which the connection or the config sets: leave it out"):
            await call(upstream, {"X-Api-Version": "2"})


KEYED = operation(
    parameters=[
        {"name": "appid", "in": "query", "required": True, "schema": {"type": "string"}},
        {"name": "filter", "in": "query", "schema": {"type": "object"}},
        {"name": "prefs", "in": "cookie", "schema": {"type": "object"}},
    ],
    security=[{"key": []}, {}],
    root_components={"securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "appid"}}},
)


@pytest.mark.parametrize(
    ("places", "arguments", "refused"),
    [
        (CredentialPlaces(frozenset({("query", "appid")})), {}, False),
        (CredentialPlaces(frozenset({("query", "appid")})), {"appid": "mine"}, True),
        (CredentialPlaces(frozenset({("query", "appid")})), {"filter": {"appid": "mine"}}, True),
        (CredentialPlaces(frozenset({("query", "appid")})), {"filter": {"AppId[]": "mine"}}, True),
        (
            CredentialPlaces(frozenset({("cookie", "session")})),
            {"appid": "a", "prefs": {"session": "x"}},
            True,
        ),
        (CredentialPlaces(schemes=frozenset({"key"})), {"appid": "mine"}, True),
        (CredentialPlaces(schemes=frozenset({"key"})), {}, False),
        (CredentialPlaces(), {"appid": "mine"}, False),
        (CredentialPlaces(), {}, False),
    ],
)
async def test_what_a_credential_sets_is_neither_asked_nor_taken(
    places: CredentialPlaces, arguments: JsonObject, refused: bool
) -> None:
    async with opened(KEYED, places=places) as (_, upstream):
        try:
            upstream.prepare(only_tool(upstream.toolset), arguments)
        except InvalidArguments:
            assert refused
        else:
            assert not refused


@pytest.mark.parametrize(
    ("method", "requests"), [("get", 2), ("put", 2), ("delete", 2), ("post", 1), ("patch", 1)]
)
async def test_only_idempotent_calls_are_repeated(method: str, requests: int) -> None:
    async with opened(operation("/x", method)) as (echo, upstream):
        echo.replies["/x"] = [Reply(503, [("Retry-After", "0")]), Reply(200)]
        result = await call(upstream)
        assert len(echo.log) == requests
        assert isinstance(result, Success if requests == 2 else Failure)


async def test_a_call_with_an_idempotency_key_is_repeated_with_the_same_one() -> None:
    async with opened(operation("/x", "post"), idempotency_key="Idempotency-Key") as (echo, upstream):
        echo.replies["/x"] = [Reply(503, [("Retry-After", "0")]), Reply(200)]
        assert isinstance(await call(upstream), Success)
        keys = [seen.header("idempotency-key") for seen in echo.log]
        assert len(keys) == 2
        assert keys[0] == keys[1]
        await call(upstream)
        assert echo.log[-1].header("idempotency-key") not in (None, keys[0])


async def test_safe_calls_carry_no_idempotency_key_and_a_given_one_stays() -> None:
    async with opened(operation("/x"), idempotency_key="Idempotency-Key") as (echo, upstream):
        await call(upstream)
        assert echo.log[-1].header("idempotency-key") is None
    header = {"name": "idempotency-key", "in": "header", "schema": {}}
    document = operation("/x", "post", parameters=[header])
    async with opened(document, idempotency_key="Idempotency-Key") as (echo, upstream):
        await call(upstream, {"idempotency-key": "mine"})
        assert echo.log[-1].header("idempotency-key") == "mine"


async def test_a_long_retry_after_is_handed_to_the_caller() -> None:
    async with opened(operation("/x")) as (echo, upstream):
        echo.replies["/x"] = [Reply(429, [("Retry-After", "3600")])]
        result = await call(upstream)
        assert isinstance(result, Failure)
        assert (len(echo.log), result.retryable, result.details["retryAfterMs"]) == (1, True, 3_600_000)


async def test_retries_have_an_end() -> None:
    async with opened(operation("/x"), retries=1) as (echo, upstream):
        echo.replies["/x"] = [Reply(502)]
        result = await call(upstream)
        assert isinstance(result, Failure)
        assert (len(echo.log), result.status) == (2, 502)


async def test_a_broken_connection_is_repeated_for_reads() -> None:
    async with opened(operation("/x")) as (echo, upstream):
        echo.replies["/x"] = [Reply(200, [], b"ab", then="close", length=9), Reply(200, [], b"1")]
        assert isinstance(await call(upstream), Success)


async def test_no_answer_in_time_is_a_timeout() -> None:
    async with opened(operation("/x", "post")) as (echo, upstream):
        echo.replies["/x"] = [Reply(200, [], b"", then="hang", length=9)]
        result = await call(upstream, seconds=0.2)
        assert isinstance(result, Failure)
        assert (result.code, result.retryable) == ("upstream_timeout", True)


async def test_nobody_there_is_unreachable() -> None:
    async with opened(operation("/x", "post"), base_url="http://127.0.0.1:1") as (_, upstream):
        result = await call(upstream)
        assert isinstance(result, Failure)
        assert (result.code, result.retryable) == ("upstream_unreachable", True)


async def test_a_large_answer_is_refused() -> None:
    async with opened(operation("/x"), max_response_bytes=10) as (echo, upstream):
        echo.replies["/x"] = [Reply(200, [], b"x" * 11)]
        result = await call(upstream)
        assert isinstance(result, Failure)
        assert result.code == "upstream_response_too_large"


async def test_an_endless_stream_yields_what_came_in_time() -> None:
    async with opened(operation("/x")) as (echo, upstream):
        head = [("Content-Type", "application/x-ndjson")]
        echo.replies["/x"] = [Reply(200, head, b'{"n":1}\n{"n":2}\n{"n"', then="hang", length=10**6)]
        result = await call(upstream, seconds=0.5)
        assert isinstance(result, Success)
        assert result.data == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(("status", "method"), [(303, "GET"), (302, "GET"), (307, "POST"), (308, "POST")])
async def test_redirects_keep_or_change_the_method(status: int, method: str) -> None:
    body: JsonObject = {"content": {"application/json": {}}}
    async with opened(operation("/x", "post", requestBody=body)) as (echo, upstream):
        echo.replies["/x"] = [Reply(status, [("Location", "/y")])]
        await call(upstream, {"body": {"a": 1}})
        seen = echo.log[-1]
        assert (seen.path, seen.method, seen.body) == ("/y", method, b'{"a":1}' if method == "POST" else b"")


def orders() -> JsonObject:
    document = operation("/orders/{id}", "post")
    document["paths"]["/orders/{id}"]["get"] = {"operationId": "read", "responses": {}}
    document["paths"]["/orders/{id}"]["parameters"] = [
        {"name": "id", "in": "path", "required": True, "schema": {}}
    ]
    document["paths"]["/admin/wipe"] = {"post": {"operationId": "wipe", "responses": {}}}
    return document


@pytest.mark.parametrize(
    ("status", "target", "operation_id"),
    [
        (307, "/admin/wipe", "wipe"),
        (308, "/base/admin/wipe/", "wipe"),
        (307, "/base/x/../ADMIN//%77ipe?a=1", "wipe"),
        (303, "/base/orders/2", "read"),
        (302, "/base/admin/wipe", "wipe"),
        (307, "/base/orders/2", None),
        (307, "/elsewhere", None),
        (303, "/base/elsewhere/3", None),
    ],
)
async def test_a_redirect_to_another_tool_is_not_followed(
    status: int, target: str, operation_id: str | None
) -> None:
    document = orders()
    async with echo_server() as echo, HttpClient() as http:
        document["servers"] = [{"url": f"{echo.url}/base"}, {"url": echo.url}]
        toolset = toolset_of(document)
        names = {tool.operation_id: tool.name for tool in toolset.tools}
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        echo.replies["/base/orders/1"] = [Reply(status, [("Location", target)])]
        result = await upstream.invoke(upstream.prepare(names["op"], {"id": "1"}), Credential(), 5.0)
        assert len(echo.log) == (2 if operation_id is None else 1)
    if operation_id is not None:
        assert isinstance(result, Failure)
        assert (result.status, result.details["operation"]) == (status, names[operation_id])
        assert result.details["location"].startswith(echo.url)
        assert "The redirect was not followed: call that tool instead." in result.message


async def test_a_redirect_to_an_operation_that_is_no_tool_is_not_followed_either() -> None:
    async with echo_server() as echo, HttpClient() as http:
        toolset = make_toolset(compiled(orders()), "key", None, "test", (), ("admin.*",))
        names = {tool.operation_id: tool.name for tool in toolset.tools}
        assert "wipe" not in names
        upstream = OpenApiUpstream(toolset, http, base_url=echo.url, headers={})
        echo.replies["/orders/1"] = [Reply(307, [("Location", "/admin/wipe")])]
        result = await upstream.invoke(upstream.prepare(names["op"], {"id": "1"}), Credential(), 5.0)
        assert isinstance(result, Failure)
        assert "that operation is not offered as a tool" in result.message
        assert len(echo.log) == 1


async def test_a_body_does_not_follow_to_another_origin() -> None:
    body: JsonObject = {"content": {"application/json": {}}}
    async with echo_server() as other, opened(operation("/x", "post", requestBody=body)) as (echo, upstream):
        echo.replies["/x"] = [Reply(307, [("Location", f"{other.url}/y")])]
        result = await call(upstream, {"body": {"a": 1}})
        assert isinstance(result, Failure)
        assert (result.status, other.log) == (307, [])
    await upstream.aclose()


STREAMED: list[tuple[str, bytes, Any]] = [
    (
        "text/event-stream",
        b'event: tick\ndata: {"n": 1}\n\ndata: two\n\ndata: {"n": 3',
        [{"event": "tick", "data": {"n": 1}}, {"data": "two"}],
    ),
    ("text/event-stream", b"", []),
    ("application/x-ndjson", b'{"n": 1}\n{"n": 2}\n{"n', [{"n": 1}, {"n": 2}]),
]


@pytest.mark.parametrize(("content_type", "arrived", "data"), STREAMED)
async def test_a_stream_that_does_not_end_is_cut_at_the_time_limit(
    content_type: str, arrived: bytes, data: Any
) -> None:
    """Whole events that arrived are the result. A machine so slow that nothing arrives in time is given longer."""
    async with opened(operation("/x", "post")) as (echo, upstream):
        echo.replies["/x"] = [Reply(200, [("Content-Type", content_type)], arrived, then="hang", length=9999)]
        for seconds in (0.25, 2.0, 40.0):
            result = await call(upstream, seconds=seconds)
            if isinstance(result, Success) and result.data == data:
                return
        raise AssertionError(result)


async def test_other_answers_that_do_not_end_are_a_timeout() -> None:
    async with opened(operation("/x", "post")) as (echo, upstream):
        echo.replies["/x"] = [
            Reply(200, [("Content-Type", "application/json")], b"[1", then="hang", length=9)
        ]
        result = await call(upstream, seconds=0.25)
        assert isinstance(result, Failure)
        assert result.code == "upstream_timeout"


BAD_REQUEST = b'{"message": "no"}'


@pytest.mark.parametrize(("status", "validate", "named"), [
    (400, "lenient", True), (422, "lenient", True), (422, "off", True), (409, "lenient", False),
    (500, "lenient", False),
])  # fmt: skip
async def test_what_the_check_let_through_is_named_when_the_upstream_refuses(
    status: int, validate: str, named: bool
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body = {"content": {"application/json": {"schema": schema}}}
    async with opened(operation("/x", "post", requestBody=body), validate=validate) as (echo, upstream):
        echo.replies["/x"] = [Reply(status, [("Content-Type", "application/json")], BAD_REQUEST)]
        result = await call(upstream, {"body": {"a": None}})
        assert isinstance(result, Failure)
        assert result.message.startswith(f"HTTP {status}: no")
        assert ("/body/a: has to be a string, not null" in result.message) is named
        assert (f"`validate: {validate}`" in result.message) is named
        assert ("overlooked" in result.details) is named


async def test_a_request_that_keeps_to_the_document_is_not_suspected() -> None:
    async with opened(operation("/x", "post")) as (echo, upstream):
        echo.replies["/x"] = [Reply(400, [("Content-Type", "application/json")], BAD_REQUEST)]
        result = await call(upstream)
        assert isinstance(result, Failure)
        assert result.message == "HTTP 400: no"
