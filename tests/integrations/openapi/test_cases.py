"""The forty acceptance cases of data/cases.sample.json, each through a real HTTP request to an echo server."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from integrations.base import Credential, Failure, InvalidArguments, SchemeCredential, Secret
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiToolset, OpenApiUpstream, SpecSource, load_toolset
from tests.integrations.echo import Seen, echo_server, substitute

DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = json.loads((DATA / "cases.sample.json").read_text())


def tool_named(toolset: OpenApiToolset, operation_id: str) -> str:
    return next(tool.name for tool in toolset.tools if tool.operation_id == operation_id)


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


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_case(case: dict[str, Any]) -> None:
    async with echo_server() as echo, HttpClient() as http:
        document = substitute(json.loads((DATA / "oas31.json").read_text()), echo.url)
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        failed = False
        try:
            call = upstream.prepare(tool_named(toolset, case["tool"]), substitute(case["args"], echo.url))
            result = await upstream.invoke(call, credential(case.get("credentials", {})), 5.0)
            failed = isinstance(result, Failure)
        except InvalidArguments:
            failed = True
        check(case["expect"], failed, echo.log)


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
