"""Approvals as clients meet them: over stdio, and over two servers that share one SQLite file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from proxy.app.serve import StopSignals
from tests.e2e import configs
from tests.e2e.running import ROOT, environment
from tests.e2e.upstream import Upstream
from tests.proxy.app.test_serve import running
from tests.proxy.serving.support import call, envelope, initialize, modern_headers

JsonObject = dict[str, Any]

CREATE = "const made = await tools.shop.org.main.things.create({body: {name: 'x'}}); return made.ok"


def client(config: Path, mode: str, era: str, **options: Any) -> Client:
    args = ["-m", "proxy", "mcp", "--config", str(config), "--elicitation-mode", mode]
    env = environment(config.parent / "state", configs.ENV)
    server = StdioServerParameters(command=sys.executable, args=args, env=env, cwd=ROOT)
    return Client(stdio_client(server), mode=era, cache=None, **options)


def created(api: Upstream) -> int:
    return api.targets().count("POST /things")


async def test_a_native_question_over_stdio(api: Upstream, tmp_path: Path) -> None:
    shown: list[str] = []

    async def person(context: Any, params: Any) -> types.ElicitResult:
        shown.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": "accept"})

    config, before = configs.write(tmp_path / "executor.yaml", configs.base(api)), created(api)
    async with client(config, "native", "legacy", elicitation_callback=person) as agent:
        done = await agent.call_tool("execute", {"code": CREATE})
    assert (done.structured_content or {})["status"] == "completed"
    assert len(shown) == 1
    assert shown[0].startswith("Send `shop.org.main.things.create`?")
    assert created(api) == before + 1


async def test_the_local_page_comes_with_the_first_pause_and_goes_with_the_process(
    api: Upstream, tmp_path: Path
) -> None:
    config, before = configs.write(tmp_path / "executor.yaml", configs.base(api)), created(api)
    async with client(config, "browser", "legacy") as agent, httpx2.AsyncClient() as browser:
        paused = (await agent.call_tool("execute", {"code": CREATE})).structured_content or {}
        assert paused["status"] == "user_approval_required"
        url, execution = paused["approvalUrl"], paused["executionId"]
        assert (await browser.get(url)).status_code == 200
        assert (await browser.get(url, headers={"host": "evil.example"})).status_code == 421
        token = (tmp_path / "state" / "approver.token").read_text().strip()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(agent.call_tool("resume", {"executionId": execution}))
            said = await browser.post(
                f"{url.partition('/resume/')[0]}/api/executions/{execution}/resume",
                json={"action": "accept"},
                headers={"authorization": f"Bearer {token}"},
            )
            assert said.status_code == 200, said.text
            assert ((await waiting).structured_content or {})["status"] == "completed"
    assert created(api) == before + 1
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


# ---- two servers, one SQLite file -----------------------------------------------------------------------------------
@asynccontextmanager
async def server(api: Upstream, folder: Path, **sections: Any) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Its MCP endpoint, and the headers that let an agent in."""
    env = environment(folder / "state", configs.ENV)
    config = configs.text(configs.base(api, state={"backend": "sqlite"}, **sections))
    async with running(folder, config, env, StopSignals()) as (application, http):
        token = application.access.local_token
        assert token is not None
        yield (
            f"{str(http.base_url).rstrip('/')}/mcp?elicitation_mode=native",
            {"authorization": f"Bearer {token.reveal()}"},
        )


async def open_native(http: httpx2.AsyncClient, url: str) -> dict[str, str]:
    body = initialize()
    body["params"]["capabilities"] = {"elicitation": {}}
    opened = await http.post(url, json=body)
    return {
        "mcp-session-id": opened.headers["mcp-session-id"],
        "accept": "application/json, text/event-stream",
    }


async def next_message(lines: AsyncIterator[str]) -> JsonObject:
    async for line in lines:
        if line.startswith("data: "):
            message: JsonObject = json.loads(line[6:])
            return message
    raise AssertionError("the stream has ended")


async def test_a_question_asked_by_one_server_is_answered_at_the_other(api: Upstream, tmp_path: Path) -> None:
    before = created(api)
    async with server(api, tmp_path) as (here, bearer), server(api, tmp_path) as (there, _):
        async with httpx2.AsyncClient(headers=bearer, timeout=60) as http:
            headers = await open_native(http, here)
            async with http.stream("POST", here, json=call(CREATE), headers=headers) as stream:
                lines = stream.aiter_lines()
                asked = await next_message(lines)
                said = {"action": "accept", "content": {"decision": "accept"}}
                answer = {"jsonrpc": "2.0", "id": asked["id"], "result": said}
                assert (await http.post(there, json=answer, headers=headers)).status_code == 202
                while "result" not in (message := await next_message(lines)):
                    assert message["method"] == "notifications/cancelled"
            assert message["result"]["structuredContent"]["status"] == "completed"
    assert created(api) == before + 1


async def test_a_retry_at_the_other_server_goes_on_with_the_same_execution(
    api: Upstream, tmp_path: Path
) -> None:
    before = created(api)
    params: JsonObject = {"name": "execute", "arguments": {"code": CREATE}}
    who: JsonObject = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    async with server(api, tmp_path) as (here, bearer), server(api, tmp_path) as (there, _):
        headers = {**bearer, **modern_headers("tools/call", "execute")}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            asked = (await http.post(here, json=envelope("tools/call", params, **who))).json()["result"]
            assert asked["resultType"] == "input_required"
            said = {"action": "accept", "content": {"decision": "accept"}}
            answers = {name: said for name in asked["inputRequests"]}
            retry = {**params, "inputResponses": answers, "requestState": asked["requestState"]}
            done = (await http.post(there, json=envelope("tools/call", retry, **who))).json()["result"]
            assert done["structuredContent"]["status"] == "completed"
    assert created(api) == before + 1


async def test_a_session_survives_a_restart_and_stays_its_owners(api: Upstream, tmp_path: Path) -> None:
    async with server(api, tmp_path) as (url, bearer), httpx2.AsyncClient(headers=bearer) as http:
        session = await open_native(http, url)
    async with server(api, tmp_path) as (url, bearer), httpx2.AsyncClient(headers=bearer) as http:
        served = await http.post(url, json=call("return 1"), headers=session)
        assert served.json()["result"]["structuredContent"]["result"] == 1
        approver = (tmp_path / "state" / "approver.token").read_text().strip()
        foreign = {**session, "authorization": f"Bearer {approver}"}
        assert (await http.post(url, json=call("return 1"), headers=foreign)).status_code == 403
        assert (await http.delete(url, headers=session)).status_code == 204
        assert (await http.post(url, json=call("return 1"), headers=session)).status_code == 404


async def test_a_question_that_nobody_answers_ends_with_the_approvals_time(
    api: Upstream, tmp_path: Path
) -> None:
    before = created(api)
    async with server(api, tmp_path, elicitation={"approval_timeout": "1s"}) as (url, bearer):
        async with httpx2.AsyncClient(headers=bearer, timeout=60) as http:
            headers = await open_native(http, url)
            async with http.stream("POST", url, json=call(CREATE), headers=headers) as stream:
                lines = stream.aiter_lines()
                assert (await next_message(lines))["method"] == "elicitation/create"
                assert (await next_message(lines))["method"] == "notifications/cancelled"
                ended = (await next_message(lines))["result"]["structuredContent"]
    assert (ended["status"], ended["recovery"]) == ("execution_expired", "re_execute")
    assert created(api) == before
