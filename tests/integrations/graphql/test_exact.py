"""Cases of `tests/data/exact`: a live schema is asked for and called over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema, introspection_from_schema

from integrations.base import Credential, JsonObject
from integrations.graphql import GraphQlOptions, GraphQlToolset, GraphQlUpstream, SchemaSource, load_toolset
from integrations.http import HttpClient
from integrations.schema_types import ToolTypes, render_tool_types
from tests.integrations.echo import Echo, Reply, Seen, echo_server

EXACT = Path(__file__).parents[2] / "data" / "exact"
FILE = {"_tag": "ToolFile", "name": 'a".png', "mimeType": "image/png", "encoding": "base64", "data": "AAH/"}


@dataclass
class Served:
    """A connected schema."""

    echo: Echo
    toolset: GraphQlToolset
    upstream: GraphQlUpstream

    def types(self, tool: str) -> ToolTypes:
        return render_tool_types(tool, self.toolset.schemas(tool), 4_096)

    async def call(self, tool: str, arguments: JsonObject) -> JsonObject:
        call = self.upstream.prepare(tool, arguments)
        return (await self.upstream.invoke(call, Credential(), 5.0)).as_json()


def schema_of(case: str) -> GraphQLSchema:
    return build_schema(json.loads((EXACT / f"graphql.{case}.json").read_text())["schema"])


def introspected(schema: GraphQLSchema, query: str) -> Any:
    """The result that a server gives to this query: what is not asked for is not there."""
    full = introspection_from_schema(
        schema, specified_by_url="specifiedByURL" in query, directive_is_repeatable="isRepeatable" in query,
        input_value_deprecation="args(includeDeprecated" in query, input_object_one_of="isOneOf" in query,
    )  # fmt: skip
    return cut(full, query.count("ofType") // max(query.count("type {"), 1))


def cut(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        if "ofType" in value and levels == 0:
            return {key: inner for key, inner in value.items() if key != "ofType"}
        return {key: cut(inner, levels - 1 if key == "ofType" else levels) for key, inner in value.items()}
    return [cut(one, levels) for one in value] if isinstance(value, list) else value


@asynccontextmanager
async def served(case: str, *, refused: str = "", change: Any = None, **reply: Any) -> AsyncIterator[Served]:
    """`refused`: a server that does not know this word. `reply` is the answer to calls."""

    def answer(seen: Seen) -> Reply:
        query = json.loads(seen.body)["query"] if (seen.header("content-type") or "").endswith("json") else ""
        kind = ("Content-Type", "application/json")
        if "__schema" not in query:
            status, declared = reply.get("status", 200), reply.get("kind", "application/json")
            return Reply(
                status, [("Content-Type", declared)], json.dumps(reply.get("content", {"data": {}})).encode()
            )
        if refused and refused in query:
            return Reply(400, [kind], b'{"errors":[{"message":"unknown"}]}')
        schema = introspected(schema_of(case), query)
        if change is not None:
            change(schema)
        return Reply(200, [kind], json.dumps({"data": schema}).encode())

    async with echo_server() as echo, HttpClient() as http:
        echo.answer = answer
        url = f"{echo.url}/graphql"
        toolset = await load_toolset(SchemaSource(url), GraphQlOptions(), http, None, None)
        yield Served(echo, toolset, GraphQlUpstream(toolset, http, endpoint=url, headers={}))


async def test_four_lists_of_items_that_are_never_null() -> None:
    async with served("deep-lists-9-wrappers") as here:
        assert "Array<Array<Array<number[]>>>" in here.types("query.geo").input.replace(
            "number[][]", "Array<number[]>"
        )
        assert any("Query.five" in one for one in here.toolset.warnings)
        assert (await here.call("query.ok", {}))["ok"] is True


async def test_deprecated_arguments_of_a_server_of_2021() -> None:
    async with served("deprecated-arg-on-2021-server", refused="isOneOf") as here:
        assert (await here.call("query.f", {"old": 1}))["ok"] is True
        assert (await here.call("query.g", {"i": {"a": 1}}))["ok"] is True


async def test_a_server_of_2018_is_asked_less() -> None:
    async with served("deprecated-arg-on-2021-server", refused="args(includeDeprecated") as here:
        assert (await here.call("query.f", {"new": 1}))["ok"] is True
        assert len(here.echo.log) == 4


async def test_extensions_reach_the_caller() -> None:
    content = {"data": {"a": 1}, "extensions": {"cost": 3}}
    async with served("extensions-on-success", content=content) as here:
        assert (await here.call("query.a", {}))["extensions"] == {"cost": 3}


async def test_an_answer_with_status_500_is_an_answer() -> None:
    content = {"errors": [{"message": "boom", "path": ["a"]}], "data": {"a": None}}
    kind = "application/graphql-response+json; charset=utf-8"
    async with served("http-gr-500", content=content, status=500, kind=kind) as here:
        error = (await here.call("query.a", {}))["error"]
        assert (error["code"], error["message"], error["status"]) == ("graphql_errors", "boom (at a)", 500)
        assert error["details"]["data"] == {"a": None}


async def test_a_missing_type_costs_what_needs_it() -> None:
    def without_o(result: Any) -> None:
        schema = result["__schema"]
        schema["types"] = [one for one in schema["types"] if one["name"] != "O"]

    async with served("introspection-type-missing", change=without_o, content={"data": {"a": 1}}) as here:
        assert [tool.name for tool in here.toolset.tools] == ["query.a", "query.b", "query.list"]
        (warning,) = here.toolset.warnings
        assert warning.endswith("`Query.objs` is left out: the type `O` is not defined")
        assert (await here.call("query.a", {}))["data"] == {"a": 1}


async def test_an_upload_is_a_multipart_request() -> None:
    async with served("multipart-upload") as here:
        assert here.types("mutation.up").input == "{\n  file: ToolFile;\n}"
        assert (await here.call("mutation.up", {"file": FILE}))["ok"] is True
        seen = here.echo.log[-1]
        assert (seen.header("content-type") or "").startswith("multipart/form-data; boundary=executor-")
        assert seen.header("apollo-require-preflight") == "true"
        operations, places, file = (part for part in seen.body.split(b"--executor-")[1:4])
        assert b'name="operations"' in operations
        assert b'"variables":{"file":null}' in operations
        assert b'{"0":["variables.file"]}' in places
        assert b'name="0"; filename="a_.png"\r\nContent-Type: image/png\r\n\r\n\x00\x01\xff\r\n' in file


async def test_a_one_of_input_is_a_choice() -> None:
    async with served("oneof-live-describe") as here:
        text = " ".join(here.types("query.by").definitions.split())
        assert text == "type By = { id: string; } | { name: string; };"


async def test_a_repeatable_directive_may_be_repeated() -> None:
    async with served("repeatable-directive-live", content={"data": {"u": {"a": 1}}}) as here:
        assert (await here.call("query.u", {"select": "a @t(n: 1) @t(n: 2)"}))["ok"] is True
