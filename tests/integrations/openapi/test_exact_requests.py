"""Small documents whose requests came out wrong when they were tried, through the whole kind to an echo server.

The files are in tests/data/exact; `clause` in each names what decides.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from integrations.base import Credential, CredentialPart, InvalidArguments, JsonObject, Secret
from integrations.http import HttpClient
from integrations.openapi import CredentialPlaces, OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from tests.integrations.echo import Echo, Reply, Seen, echo_server

DATA = Path(__file__).parents[2] / "data" / "exact"
CASES = [
    "b.32-mediatypes-ref",
    "b.32-xml-nodeType",
    "b.anchor-ref",
    "b.nullable-ref-sibling-30",
    "b.oneOf-overlap-number-integer",
    "b.readOnly-required-other-branch",
    "d.32-self",
    "d.additionalOperations-case",
    "p.32-allowReserved-path",
    "p.allowEmptyValue-boolean",
    "p.content-json-as-text",
    "p.multipleOf-cents",
    "p.path-case-mismatch",
    "p.path-undeclared",
    "v.32-itemSchema-checked",
    "v.allOf-closed",
    "v.nullable-in-31",
    "v.oneOf-optional-props",
    "v.pattern-slashes",
]


def read_case(name: str) -> JsonObject:
    case: JsonObject = json.loads((DATA / f"openapi.{name}.json").read_text())
    return case


async def send(case: JsonObject, arguments: JsonObject, echo: Echo, **options: Any) -> Seen | None:
    """What arrived; None when the call was refused before anything was sent."""
    document = json.loads(json.dumps(case["document"]).replace("http://UPSTREAM", echo.url))
    async with HttpClient() as http:
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        credential = options.pop("credential", Credential())
        upstream = OpenApiUpstream(toolset, http, **{"base_url": None, "headers": {}, **options})
        (tool,) = toolset.tools
        needed = upstream.toolset.schemas(tool.name).input.get("required", [])
        assert set(needed) - arguments.keys() <= {"body"}
        try:
            call = upstream.prepare(tool.name, arguments)
        except InvalidArguments:
            return None
        await upstream.invoke(call, credential, 5.0)
    return echo.log[-1]


async def test_a_header_that_the_config_sets_is_not_asked_for() -> None:
    async with echo_server() as echo:
        case = read_case("p.required-header-by-config")
        seen = await send(case, {}, echo, headers={"Notion-Version": "2022-06-28"})
    assert seen is not None
    assert seen.header("notion-version") == "2022-06-28"


async def test_what_the_credential_fills_is_not_asked_for() -> None:
    case = read_case("p.required-query-by-credential")
    part = CredentialPart("query", Secret("SECRETKEY1"), "appid")
    places = CredentialPlaces(frozenset({("query", "appid")}))
    async with echo_server() as echo:
        verify(
            case["expected"],
            await send(case, case["arguments"], echo, credential=Credential((part,)), places=places),
        )
        assert await send(case, {"q": "x", "appid": "mine"}, echo, places=places) is None


FILE: JsonObject = {
    "_tag": "ToolFile",
    "name": "a.bin",
    "mimeType": "application/octet-stream",
    "encoding": "base64",
}
FILE |= {"data": "AAH/", "byteLength": 3}
PARTS: list[tuple[str, Any, list[list[str]]]] = [
    ("b.encoding-headers", {"f": FILE}, [["X-Part-Id: p1", 'name="f"; filename="a.bin"']]),
    (
        "b.multipart-31-contentEncoding",
        {"a": "AAH/", "b": "x"},
        [["application/octet-stream", "AAH/"], ["application/octet-stream", "x"]],
    ),
    (
        "b.multipart-related-array-32",
        [{"a": 1}, "text"],
        [["Content-Type: application/json\r\n\r\n{"], ["Content-Type: text/plain\r\n\r\ntext"]],
    ),
    ("b.two-types-file-inference", {"file": FILE}, [['name="file"; filename="a.bin"']]),
    ("v.multipart-string-schema", {"file": FILE}, [['name="file"; filename="a.bin"']]),
    ("v.multipart-string-schema", FILE, [['name="file"; filename="a.bin"']]),
]


@pytest.mark.parametrize(("name", "body", "parts"), PARTS)
async def test_parts(name: str, body: Any, parts: list[list[str]]) -> None:
    async with echo_server() as echo:
        seen = await send(read_case(name), {"body": body}, echo)
    assert seen is not None
    kind, _, boundary = (seen.header("content-type") or "").partition("; boundary=")
    assert kind.startswith("multipart/")
    sent = seen.body.decode("latin-1").split(f"--{boundary}")[1:-1]
    assert len(sent) == len(parts)
    for text, wanted in zip(sent, parts, strict=True):
        assert all(one in text for one in wanted)


@pytest.mark.parametrize("name", CASES)
async def test_case(name: str) -> None:
    case = read_case(name)
    async with echo_server() as echo:
        verify(case["expected"], await send(case, case.get("arguments", {}), echo))


async def test_relative_servers_start_from_where_the_document_was_found() -> None:
    case = read_case("d.relative-server-after-redirect")
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "../v2"}],
        "paths": {"/things": {"get": {"responses": {}}}},
    }
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/docs/latest.json"] = [Reply(302, [("Location", "/docs/real/api.json")])]
        echo.replies["/docs/real/api.json"] = [Reply(200, [], json.dumps(document).encode())]
        source = SpecSource(url=case["spec"].split('"')[1].replace("http://UPSTREAM", echo.url))
        toolset = await load_toolset(source, OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        await upstream.invoke(upstream.prepare(toolset.tools[0].name, {}), Credential(), 5.0)
        verify(case["expected"], echo.log[-1])


def verify(expected: Any, seen: Seen | None) -> None:
    """`sent: X` is a body as Python writes it, or a query or path as it is; an object holds what is not null."""
    if expected == "refused before sending":
        assert seen is None
        return
    assert seen is not None
    if expected == "tool listed":
        return
    if isinstance(expected, str):
        _verify_text(expected.removeprefix("sent: "), seen)
        return
    got = {"query": seen.query, "path": seen.path, "body": seen.body.decode()}
    for place, wanted in expected.items():
        if wanted is not None:
            assert got[place] in (wanted if isinstance(wanted, list) else [wanted])


def _verify_text(wanted: str, seen: Seen) -> None:
    if wanted.startswith("/"):
        assert seen.path == wanted
    elif wanted == "None":
        assert not seen.body
    elif wanted.startswith("{"):
        assert json.loads(seen.body) == ast.literal_eval(wanted)
    elif wanted.isalpha():
        assert seen.method == wanted
    else:
        assert unquote(seen.query or "") == wanted
