"""The document describes every route, is valid, and our own OpenAPI integration can call with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integrations.base import Credential, CredentialPart, JsonObject, Secret, Success
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from proxy.serving.detached import DetachedTasks
from proxy.serving.mcp.tools import BadArgument, read_execute
from proxy.serving.rest.approvals import read_decisions
from proxy.serving.rest.executions import RUNTIMES
from proxy.serving.rest.openapi import document
from proxy.serving.rest.request import ApiProblem
from proxy.serving.rest.routes import OPEN_PATHS, routes
from tests.proxy.serving.support import serving

DOCUMENT = document(routes(DetachedTasks()))


async def test_every_route_is_in_it() -> None:
    async with serving() as server:
        rules = [one for one in server.app.rest.url_map.iter_rules() if one.rule.startswith("/api/")]
    served = {
        (re.sub(r"<(\w+)>", r"{\1}", one.rule), method.lower())
        for one in rules
        if one.rule not in OPEN_PATHS
        for method in (one.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}


def test_its_schemas_are_schemas_and_every_reference_is_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for body in schemas.values():
        Draft202012Validator.check_schema(body)
    named = set(re.findall(r"#/components/schemas/(\w+)", repr(DOCUMENT)))
    assert named == set(schemas)


def executes(body: JsonObject) -> None:
    read_execute(body, RUNTIMES, None)


def resumes(body: JsonObject) -> None:
    read_decisions(body, action_required=False)


def decides(body: JsonObject) -> None:
    read_decisions(body, action_required=True)


RUN: JsonObject = {"code": "1"}
YES: JsonObject = {"action": "accept"}


def each(base: JsonObject, name: str, *values: Any) -> list[JsonObject]:
    return [{**base, name: value} for value in values]


EXECUTES: list[JsonObject] = [
    {},
    RUN,
    {"code": None},
    {"code": ""},
    *each(RUN, "timeoutMs", None, 5000, 5000.0, "5000", "5e3", 1, True, [], ""),
    *each(RUN, "runtimeId", None, "", "quickjs", "node", 7),
    *each(RUN, "sessionId", None, "", "s", "s" * 257, 7, {}),
    *each(RUN, "metadata", None, {}, {"a": 1}, '{"a": 1}', 7, [], True),
    {**RUN, "more": 1},
]
DECISIONS: list[JsonObject] = [
    {},
    YES,
    *each({}, "action", None, "", "approve", 7),
    *each(YES, "content", None, {}, "{}", 7, [], True),
    *each(YES, "interactionId", None, "", "ask_1", "a" * 129, 7),
    {**YES, "waitMs": 1000},
    {**YES, "more": 1},
]


@pytest.mark.parametrize(
    ("name", "read", "body"),
    [
        *(("ExecuteRequest", executes, body) for body in EXECUTES),
        *(("ResumeRequest", resumes, body) for body in DECISIONS),
        *(("DecideRequest", decides, body) for body in DECISIONS),
    ],
)
def test_bodies_are_read_as_their_schemas_say(
    name: str, read: Callable[[JsonObject], None], body: JsonObject
) -> None:
    """Neither more than the document promises is taken, nor less."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    try:
        read(body)
    except (ApiProblem, BadArgument):
        taken = False
    else:
        taken = True
    assert Draft202012Validator(schema).is_valid(body) is taken, body


async def test_answers_fit_their_schemas() -> None:
    async with serving() as server, server.client() as client:
        await client.post("/api/executions", json={"code": "ask it", "sessionId": "s1"})
        shown = [
            ("Execution", await client.get("/api/executions/exec_1")),
            ("ExecutionPage", await client.get("/api/executions")),
            ("ApprovalList", await client.get("/api/approvals")),
            ("ToolPage", await client.get("/api/tools")),
            ("Tool", await client.get("/api/tools/demo.org.main.write")),
            ("ConnectionList", await client.get("/api/connections")),
            ("Explanation", await client.get("/api/policies/explain?tool=demo.org.main.write")),
            ("ExecutionResult", await client.post("/api/executions/exec_1/resume", json={})),
            ("Decided", await client.post("/api/executions/exec_1/decide", json={"action": "accept"})),
            ("Execution", await client.get("/api/executions/exec_1")),
            ("Error", await client.get("/api/executions/exec_9")),
        ]
    for name, answer in shown:
        schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(answer.json())


async def test_our_own_openapi_integration_calls_it() -> None:
    async with serving() as server, HttpClient() as http:
        async with server.client(None) as client:
            fetched = (await client.get("/api/openapi.json")).json()
        toolset = await load_toolset(SpecSource(None, None, fetched), OpenApiOptions(), http, None)
        names = {one.name for one in toolset.tools}
        assert len(names) == sum(len(item) for item in fetched["paths"].values())
        upstream = OpenApiUpstream(toolset, http, base_url=server.url, headers={})
        execute = next(one for one in toolset.tools if one.path == "/api/executions" and one.method == "POST")
        prepared = upstream.prepare(execute.name, {"body": {"code": "return hello"}})
        result = await upstream.invoke(
            prepared, Credential((CredentialPart("bearer", Secret("alice")),)), 20.0
        )
    assert isinstance(result, Success)
    assert "hello" in repr(result)
