"""Recipes 06 and 18: what servers get wrong although its meaning is plain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.base import Failure, Success
from tests.integrations.mcp.http_server import raw_http
from tests.integrations.mcp.running import running

GOOD = {"name": "ok", "inputSchema": {"type": "object"}}
OBJECT = {"type": "object"}
DEEP: Any = json.loads('{"properties":' * 200 + "{}" + "}" * 200)
NO_OBJECT = "its output schema is not one of an object"


@pytest.mark.parametrize(
    ("tool", "schema", "warning"),
    [
        ({"name": "bad", "inputSchema": None}, OBJECT, ""),
        ({"name": "bad"}, OBJECT, ""),
        ({"name": "bad", "inputSchema": {}}, OBJECT, ""),
        ({"name": "bad", "inputSchema": {"properties": {"a": {}}}}, {**OBJECT, "properties": {"a": {}}}, ""),
        ({"name": "bad", "inputSchema": {"type": ["object", "null"]}}, OBJECT, ""),
        ({**GOOD, "name": "bad", "outputSchema": None}, OBJECT, ""),
        (
            {**GOOD, "name": "bad", "outputSchema": {"type": "array"}},
            OBJECT,
            NO_OBJECT,
        ),
        ({**GOOD, "name": "bad", "outputSchema": "x"}, OBJECT, NO_OBJECT),
        ({**GOOD, "name": "bad", "outputSchema": {}}, OBJECT, NO_OBJECT),
        ({"name": 5, "inputSchema": OBJECT}, None, "tool number 2 left out: name: "),
        ({"inputSchema": OBJECT}, None, "tool number 2 left out: name: Field required"),
        ({**GOOD, "name": "bad", "icons": "x"}, None, "tool 'bad' left out: icons: "),
        ({**GOOD, "name": "bad", "annotations": "x"}, None, "tool 'bad' left out: annotations: "),
        ({"name": "bad", "inputSchema": {"type": "string"}}, None, "tool 'bad' left out: inputSchema.type: "),
        ({"name": "bad", "inputSchema": "x"}, None, "tool 'bad' left out: inputSchema: "),
        (
            {"name": "bad", "inputSchema": DEEP},
            None,
            "tool 'bad' left out: it is nested more than 180 levels deep",
        ),
        ("x", None, "tool number 2 left out: "),
        (None, None, "tool number 2 left out: "),
    ],
)
async def test_one_bad_tool_never_takes_the_others_away(tool: Any, schema: Any, warning: str) -> None:
    async with raw_http() as http:
        http.tools = [GOOD, tool]
        async with running(http.server) as one:
            assert one.status == {"status": "connected"}
            assert await one.data("ok") == "fine"
            assert one.names == (["ok", "bad"] if schema is not None else ["ok"])
            if schema is not None:
                assert one.upstream.toolset.schemas("bad").input == schema
                assert one.upstream.toolset.schemas("bad").output is None
            said = " ".join(one.upstream.toolset.warnings)
            assert warning in said
            assert bool(said) == bool(warning)


async def test_a_cursor_that_is_none_costs_the_pages_after_it() -> None:
    async with raw_http() as http:
        http.more = {"nextCursor": 5}
        async with running(http.server) as one:
            assert one.names == ["write", "read"]
            assert "`nextCursor` is no text" in one.upstream.toolset.warnings[0]


TEXT = {"type": "text", "text": "words"}


@pytest.mark.parametrize(
    ("result", "data", "noted"),
    [
        ({"content": [TEXT], "structuredContent": ["x"]}, ["x"], True),
        ({"structuredContent": ["x"]}, ["x"], True),
        ({"content": [], "structuredContent": 5}, 5, True),
        ({"content": [TEXT], "structuredContent": None}, "words", False),
        ({"content": [], "structuredContent": {"a": 1}}, {"a": 1}, False),
        ({"structuredContent": {"a": 1}}, {"a": 1}, False),
        ({"content": TEXT}, "words", False),
        ({"content": "words"}, "words", False),
        ({"content": None}, None, False),
        ({"content": [{"type": "table", "rows": 2}]}, {"type": "table", "rows": 2}, False),
        ({"content": ["words"]}, "words", False),
    ],
)
async def test_a_call_that_ran_is_delivered(result: Any, data: Any, noted: bool) -> None:
    async with raw_http() as http, running(http.server) as one:
        http.result = result
        answer = await one.call("write")
        assert isinstance(answer, Success), answer
        assert answer.data == data
        assert ("`structuredContent` is no object" in (answer.note or "")) == noted
        assert ("note" in answer.as_json()) == noted


async def test_an_error_with_a_list_is_still_an_error() -> None:
    async with raw_http() as http, running(http.server) as one:
        http.result = {"isError": True, "content": [TEXT], "structuredContent": ["x"]}
        failure = await one.call("write")
        assert isinstance(failure, Failure)
        assert (failure.message, failure.details) == ("words", {"data": ["x"]})
