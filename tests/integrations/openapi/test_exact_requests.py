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

from integrations.base import Credential, InvalidArguments, JsonObject
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from tests.integrations.echo import Echo, Seen, echo_server

DATA = Path(__file__).parents[2] / "data" / "exact"
CASES = [
    "b.nullable-ref-sibling-30",
    "b.oneOf-overlap-number-integer",
    "b.readOnly-required-other-branch",
    "p.multipleOf-cents",
    "v.allOf-closed",
    "v.nullable-in-31",
    "v.oneOf-optional-props",
    "v.pattern-slashes",
]


def read_case(name: str) -> JsonObject:
    case: JsonObject = json.loads((DATA / f"openapi.{name}.json").read_text())
    return case


async def send(case: JsonObject, arguments: JsonObject, echo: Echo) -> Seen | None:
    """What arrived; None when the call was refused before anything was sent."""
    document = json.loads(json.dumps(case["document"]).replace("http://UPSTREAM", echo.url))
    async with HttpClient() as http:
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        (tool,) = toolset.tools
        try:
            call = upstream.prepare(tool.name, arguments)
        except InvalidArguments:
            return None
        await upstream.invoke(call, Credential(), 5.0)
    return echo.log[-1]


@pytest.mark.parametrize("name", CASES)
async def test_case(name: str) -> None:
    case = read_case(name)
    async with echo_server() as echo:
        verify(case["expected"], await send(case, case["arguments"], echo))


def verify(expected: Any, seen: Seen | None) -> None:
    """`sent: X` is a body as Python writes it, or a query or path as it is; an object holds what is not null."""
    if expected == "refused before sending":
        assert seen is None
        return
    assert seen is not None
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
    else:
        assert unquote(seen.query or "") == wanted
