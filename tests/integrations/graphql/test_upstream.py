from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integrations.base import (
    Credential,
    CredentialPart,
    Failure,
    JsonObject,
    Result,
    Secret,
    Success,
    UnknownTool,
)
from integrations.graphql import GraphQlUpstream
from integrations.http import HttpClient
from tests.integrations.echo import Reply
from tests.integrations.graphql.server import Served, graphql_server, toolset
from tests.integrations.graphql.test_toolset import REPORT


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[tuple[Served, GraphQlUpstream]]:
    async with graphql_server() as served, HttpClient() as http:
        endpoint = options.pop("endpoint", served.url)
        settings = {"endpoint": endpoint, "headers": {}, **options}
        yield served, GraphQlUpstream(toolset(REPORT), http, **settings)


async def call(
    upstream: GraphQlUpstream, tool: str, arguments: JsonObject | None = None,
    credential: Credential | None = None, seconds: float = 5.0,
) -> Result:  # fmt: skip
    return await upstream.invoke(upstream.prepare(tool, arguments or {}), credential or Credential(), seconds)


def failed(result: Result) -> Failure:
    assert isinstance(result, Failure)
    return result


async def test_a_prepared_call_says_what_will_be_sent() -> None:
    async with opened() as (served, upstream):
        prepared = upstream.prepare("mutation.setRole", {"id": 1, "role": "ADMIN"})
        assert prepared.summary == f"POST {served.url} mutation setRole"
        assert prepared.arguments == {"id": "1", "role": "ADMIN"}
        assert prepared.tool.risk == "write"
        with pytest.raises(UnknownTool):
            upstream.prepare("query.nope", {})
        assert served.echo.log == []


async def test_queries_and_mutations_reach_a_real_server() -> None:
    async with opened() as (served, upstream):
        me = await call(upstream, "query.me")
        assert isinstance(me, Success)
        assert me.data["me"]["login"] == "u1"
        assert me.http is not None
        assert me.http.status == 200
        made = await call(upstream, "mutation.createUser", {"input": {"login": "x", "extra": {"deep": [1]}}})
        assert isinstance(made, Success)
        assert served.calls.made[-1] == (
            "createUser", {"input": {"login": "x", "role": "MEMBER", "extra": {"deep": [1]}}},
        )  # fmt: skip


async def test_absent_arguments_keep_their_defaults_and_null_is_sent() -> None:
    async with opened() as (served, upstream):
        await call(upstream, "query.users")
        await call(upstream, "query.users", {"first": None})
        assert served.calls.made == [("users", {"first": 10}), ("users", {"first": None})]


async def test_select_and_named_operations() -> None:
    async with opened() as (_, upstream):
        chosen = await call(upstream, "query.search", {"text": "x", "select": "... on Bot { login bio }"})
        assert isinstance(chosen, Success)
        assert chosen.data == {"search": [{}, {"login": "bot", "bio": 3}]}
        named = await call(upstream, "query.Report", {"id": "4"})
        assert isinstance(named, Success)
        assert named.data == {"user": {"shown": None, "picture": None, "id": "4"}}


async def test_a_real_argument_called_select_reaches_the_server() -> None:
    async with opened() as (served, upstream):
        await call(upstream, "query.echo", {"select": "id } deleteAll {"})
        assert served.calls.made == [("echo", {"select": "id } deleteAll {"})]


async def test_partial_data_is_kept() -> None:
    async with opened() as (_, upstream):
        failure = failed(await call(upstream, "mutation.partly"))
        assert failure.code == "graphql_errors"
        assert failure.details["data"] == {"partly": None}
        assert "partly.errors.0.message" in failure.message
        broken = failed(await call(upstream, "query.broken"))
        assert broken.details["data"] == {"broken": None}
        assert broken.message == "the database is away (at broken)"


async def test_headers_and_every_kind_of_credential() -> None:
    parts = (
        CredentialPart("bearer", Secret("t")),
        CredentialPart("query", Secret("q&"), "key"),
        CredentialPart("cookie", Secret("c"), "sid"),
    )
    async with opened(headers={"X-Own": "1"}) as (served, upstream):
        assert isinstance(await call(upstream, "query.version", credential=Credential(parts)), Success)
        seen = served.echo.log[-1]
        assert (seen.method, seen.target) == ("POST", "/graphql?key=q%26")
        assert (seen.header("authorization"), seen.header("cookie"), seen.header("x-own")) == (
            "Bearer t",
            "sid=c",
            "1",
        )
        assert seen.header("accept") == "application/graphql-response+json, application/json;q=0.9"
        assert seen.header("content-type") == "application/json"
        assert json.loads(seen.body)["operationName"] == "version"
        wrong = Credential((CredentialPart("bearer", Secret("a\r\nb")),))
        assert failed(await call(upstream, "query.version", credential=wrong)).code == "connection_not_ready"


@pytest.mark.parametrize(("tool", "requests"), [("query.version", 2), ("mutation.deleteAll", 1)])
async def test_only_queries_are_repeated(tool: str, requests: int) -> None:
    async with opened() as (served, upstream):
        good = Reply(200, [], b'{"data": {"version": "1"}}')
        served.echo.replies["/graphql"] = [Reply(503, [("Retry-After", "0")]), good]
        result = await call(upstream, tool)
        assert len(served.echo.log) == requests
        assert isinstance(result, Success if requests == 2 else Failure)


async def test_http_failures() -> None:
    async with opened(max_response_bytes=100, retries=0) as (served, upstream):
        for reply, code in (
            (Reply(401, [], b'{"message": "Bad credentials"}'), "connection_rejected"),
            (Reply(500, [], b"oops"), "upstream_http_error"),
            (Reply(200, [("Content-Type", "text/html")], b"<html>"), "upstream_http_error"),
            (Reply(200, [], b" " * 200), "upstream_response_too_large"),
            (Reply(200, [], b"", then="close", length=5), "upstream_unreachable"),
        ):
            served.echo.replies["/graphql"] = [reply]
            assert failed(await call(upstream, "query.version")).code == code
        served.echo.replies["/graphql"] = [Reply(200, [], b"", then="hang", length=5)]
        assert failed(await call(upstream, "query.version", seconds=0.2)).code == "upstream_timeout"


async def test_t24_a_redirect_cannot_carry_the_request_elsewhere() -> None:
    async with graphql_server() as inner, opened() as (served, upstream):
        served.echo.replies["/graphql"] = [Reply(307, [("Location", f"{inner.url}")])]
        failure = failed(await call(upstream, "mutation.deleteAll"))
        assert f"redirects to {inner.url}; set `endpoint`" in failure.message
        assert inner.echo.log == []
