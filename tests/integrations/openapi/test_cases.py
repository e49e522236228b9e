"""Acceptance cases, each through a real HTTP request to an echo server that normalises nothing.

data/cases.sample.json are forty from the first version of this kind; data/cases.own.json are every operation of
oas31.json, and of own documents for what that one has not (Swagger 2.0, 3.0, 3.2, responses). Expected values
were written from the specification's tables, not from what this code does; `clause` names the table.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from integrations.base import Credential, Failure, InvalidArguments, Result, SchemeCredential, Secret
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiToolset, OpenApiUpstream, SpecSource, load_toolset
from tests.integrations.echo import Echo, Reply, Seen, echo_server, echo_thread, substitute
from tests.integrations.openapi.documents import toolset_of

DATA = Path(__file__).parent / "data"


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in json.loads((DATA / name).read_text())]


def tool_named(toolset: OpenApiToolset, wanted: str) -> str | None:
    """The tool of an operationId, or of `METHOD /path`."""
    for tool in toolset.tools:
        if wanted in (tool.operation_id, f"{tool.method} {tool.path}"):
            return tool.name
    return None


def credential(bound: dict[str, Any]) -> Credential:
    schemes: dict[str, SchemeCredential] = {}
    for name, value in bound.items():
        if isinstance(value, str):
            schemes[name] = SchemeCredential(value=Secret(value))
        else:
            schemes[name] = SchemeCredential(
                username=Secret(value["username"]), password=Secret(value["password"])
            )
    return Credential(schemes=schemes)


@pytest.mark.parametrize("case", cases("cases.sample.json"))
async def test_case(case: dict[str, Any]) -> None:
    async with echo_server() as echo, HttpClient() as http:
        document = substitute(json.loads((DATA / "oas31.json").read_text()), echo.url)
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        await call_and_check(case, toolset, echo, http)


@pytest.fixture(scope="module")
def shared() -> Iterator[Echo]:
    """One address for all cases, so that each document is compiled once."""
    with echo_thread() as echo:
        yield echo


@cache
def compiled_at(spec: str, url: str) -> OpenApiToolset:
    document = substitute(json.loads((DATA / f"{spec}.json").read_text()), url)
    return toolset_of(document, f"{url}/docs/api.json")


@pytest.mark.parametrize("case", cases("cases.own.json"))
async def test_own_case(shared: Echo, case: dict[str, Any]) -> None:
    shared.log.clear()
    shared.replies.clear()
    async with HttpClient() as http:
        await call_and_check(case, compiled_at(case["spec"], shared.url), shared, http)


async def call_and_check(case: dict[str, Any], toolset: OpenApiToolset, echo: Echo, http: HttpClient) -> None:
    upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
    tool, expect = tool_named(toolset, case["tool"]), case["expect"]
    if expect.get("absent"):
        assert tool is None
        return
    assert tool is not None
    try:
        call = upstream.prepare(tool, substitute(case["args"], echo.url))
        if "reply" in case:
            echo.replies[urlsplit(call.summary.split(" ", 1)[1]).path] = [reply_of(case["reply"])]
        result = await upstream.invoke(call, credential(case.get("credentials", {})), 5.0)
    except InvalidArguments:
        check(expect, True, echo.log)
        return
    if "result" in expect or "failure" in expect:
        check_result(expect, result)
    check(expect, isinstance(result, Failure) and "failure" not in expect, echo.log)


def reply_of(described: dict[str, Any]) -> Reply:
    """`text` is sent as UTF-8 unless `charset` says otherwise, `base64` as bytes, `gzip` compresses either."""
    body = base64.b64decode(described.get("base64", ""))
    if "text" in described:
        body = described["text"].encode(described.get("charset", "utf-8"))
    if described.get("gzip"):
        body = gzip.compress(body)
    return Reply(described.get("status", 200), [(n, v) for n, v in described.get("headers", [])], body)


def check_result(expect: dict[str, Any], result: Result) -> None:
    said = result.as_json()
    for name, value in expect.get("result", {}).items():
        assert said[name] == value
        assert type(said[name]) is type(value)
    if "http" in expect:
        assert said["http"]["headers"] == said["http"]["headers"] | expect["http"]
    for name in expect.get("http_absent", []):
        assert name not in said["http"]["headers"]
    for name, value in expect.get("failure", {}).items():
        assert said["error"][name] == value


def check(expect: dict[str, Any], failed: bool, log: list[Seen]) -> None:
    if "any_of" in expect:
        assert any(_fits(option, failed, log) for option in expect["any_of"])
        return
    if expect.get("error"):
        assert failed
        assert not log
        return
    assert not failed
    verify(expect, log[-1])


def _fits(option: dict[str, Any], failed: bool, log: list[Seen]) -> bool:
    if option.get("error"):
        return failed
    return bool(log) and log[-1].path == option["raw_path"]


def verify(expect: dict[str, Any], seen: Seen) -> None:
    if "method" in expect:
        assert seen.method == expect["method"]
    if "raw_path" in expect:
        assert seen.path == expect["raw_path"]
    if "raw_query" in expect:
        assert seen.query == expect["raw_query"]
    for name, value in expect.get("headers", {}).items():
        assert seen.header(name) == value
    for name, value in expect.get("headers_prefix", {}).items():
        assert (seen.header(name) or "").startswith(value)
    for name, value in expect.get("headers_not", {}).items():
        assert seen.header(name) != value
    for name in expect.get("headers_absent", []):
        assert seen.header(name) is None
    if "cookies" in expect:
        assert dict(c.split("=", 1) for c in (seen.header("cookie") or "").split("; ")) == expect["cookies"]
    if "body" in expect:
        verify_body(expect["body"], seen)


def verify_body(expect: dict[str, Any], seen: Seen) -> None:
    if "json" in expect:
        assert json.loads(seen.body) == expect["json"]
    if "text" in expect:
        assert seen.body.decode() == expect["text"]
    if "base64" in expect:
        assert seen.body == base64.b64decode(expect["base64"])
    if "form" in expect:
        assert [list(p) for p in parse_qsl(seen.body.decode(), keep_blank_values=True)] == expect["form"]
    if "multipart" in expect:
        for wanted, part in zip(expect["multipart"], multipart(seen), strict=True):
            verify_part(wanted, part)


def verify_part(wanted: dict[str, Any], part: dict[str, Any]) -> None:
    content = base64.b64decode(wanted["base64"]) if "base64" in wanted else wanted["text"].encode()
    assert part["content"] == content
    for key in ("name", "filename", "content_type"):
        if key in wanted:
            assert part[key] == wanted[key]


def multipart(seen: Seen) -> list[dict[str, Any]]:
    """Parts of a multipart body, by the standard library's MIME parser."""
    head = f"Content-Type: {seen.header('content-type')}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + seen.body)
    out: list[dict[str, Any]] = []
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        out.append(
            {
                "name": part.get_param("name", header="content-disposition"),
                "filename": part.get_filename(),
                "content_type": str(part["content-type"]).replace('"', ""),
                "content": payload,
            }
        )
    return out
