"""Two replicas that share their state: what lands on the one reaches the other, and nobody else gets through."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from integrations.base import Secret
from proxy.serving.mcp.elicitation import Seals, SentElicitation
from proxy.serving.mcp.replicas import ReplicaBus
from proxy.state.memory import MemoryState
from tests.proxy.serving.mcp.elicitation_client import (
    NATIVE,
    Person,
    accepted,
    connected,
    native_session,
    next_message,
    replicas,
)
from tests.proxy.serving.support import MODERN, call, envelope, modern_headers, open_session, serving

JsonObject = dict[str, Any]
Hints = asyncio.Queue[dict[str, Any] | None]


async def test_a_hint_reaches_other_replicas_and_not_its_sender() -> None:
    state = MemoryState(clock=time.time)
    here, there = ReplicaBus(state), ReplicaBus(state)
    mine, theirs = Hints(), Hints()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(here.run(mine.put_nowait)),
            group.create_task(there.run(theirs.put_nowait)),
        ]
        here.publish("closed", session="mcp_1")
        heard = None
        while heard is None:
            # Who subscribes later than the hint was sent does not hear it.
            try:
                heard = await asyncio.wait_for(theirs.get(), 0.05)
            except TimeoutError:
                here.publish("closed", session="mcp_1")
        assert (heard["what"], heard["session"]) == ("closed", "mcp_1")
        assert mine.empty()
        for task in running:
            task.cancel()


async def test_hints_that_nobody_sends_on_are_dropped_and_never_block() -> None:
    bus = ReplicaBus(MemoryState(clock=time.time))
    for _ in range(1000):
        bus.publish("closed", session="mcp_1")


# ---- handshake era ----
async def test_an_answer_that_lands_on_another_replica_counts() -> None:
    async with replicas() as (here, there), here.client() as client, there.client("alice-too") as other:
        headers = await native_session(client)
        async with client.stream("POST", "/mcp", json=call("ask one"), headers=headers) as stream:
            lines = stream.aiter_lines()
            asked = await next_message(lines)
            assert asked["method"] == "elicitation/create"
            assert (await other.post("/mcp", json=accepted(asked), headers=headers)).status_code == 202
            while "result" not in (message := await next_message(lines)):
                assert message["method"] == "notifications/cancelled"
            assert message["result"]["content"][0]["text"] == "approved"


async def test_an_answer_after_the_client_lost_its_stream_counts() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with here.client() as leaving:
            async with leaving.stream("POST", "/mcp", json=call("ask one"), headers=headers) as stream:
                asked = await next_message(stream.aiter_lines())
        assert (await other.post("/mcp", json=accepted(asked), headers=headers)).status_code == 202
        body = {"name": "resume", "arguments": {"executionId": "exec_1"}}
        resume = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": body}
        done = await other.post("/mcp", json=resume, headers=headers)
        assert done.json()["result"]["content"][0]["text"] == "approved"


async def test_a_replica_that_drains_leaves_its_question_to_the_others() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with client.stream("POST", "/mcp", json=call("ask one"), headers=headers) as stream:
            lines = stream.aiter_lines()
            asked = await next_message(lines)
            here.drain.begin()
            ended = (await next_message(lines))["result"]
            assert ended["structuredContent"]["status"] == "user_approval_required"
            assert "shutting down" in ended["content"][0]["text"]
        assert (await other.post("/mcp", json=accepted(asked), headers=headers)).status_code == 202
        assert here.board.paused["exec_1"].ended is None
        assert [one.action for one in here.board.paused["exec_1"].decided.values()] == ["accept"]


async def test_an_error_that_lands_on_another_replica_ends_the_question() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with client.stream("POST", "/mcp", json=call("ask one"), headers=headers) as stream:
            lines = stream.aiter_lines()
            asked = await next_message(lines)
            error = {"code": -32601, "message": "no dialogue here"}
            answer = {"jsonrpc": "2.0", "id": asked["id"], "error": error}
            assert (await other.post("/mcp", json=answer, headers=headers)).status_code == 202
            message = await next_message(lines)
            assert "did not show the question" in message["result"]["content"][0]["text"]


async def test_cancelling_on_another_replica_ends_the_request() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with client.stream("POST", "/mcp", json=call("ask one", 7), headers=headers) as stream:
            lines = stream.aiter_lines()
            await next_message(lines)
            note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
            assert (await other.post("/mcp", json=note, headers=headers)).status_code == 202
            messages = [await next_message(lines), await next_message(lines)]
            assert messages[0]["method"] == "notifications/cancelled"
            assert messages[1]["error"]["code"] == -32800


async def test_deleting_on_another_replica_ends_the_request_and_the_stream() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with client.stream("GET", "/mcp", headers=headers) as listening:
            lines = listening.aiter_lines()
            assert await anext(lines) == ": open"
            assert (await other.delete("/mcp", headers=headers)).status_code == 204
            assert [line async for line in lines if line.startswith("data")] == []
        assert (await client.post("/mcp", json=call("return 1"), headers=headers)).status_code == 404


async def test_a_new_stream_on_another_replica_ends_the_old_one() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = await native_session(client)
        async with client.stream("GET", "/mcp", headers=headers) as first:
            lines = first.aiter_lines()
            assert await anext(lines) == ": open"
            async with other.stream("GET", "/mcp", headers=headers) as second:
                assert await anext(second.aiter_lines()) == ": open"
                assert [line async for line in lines if line.startswith("data")] == []


async def test_a_session_of_one_replica_is_served_by_the_other_but_not_to_others() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        headers = {"mcp-session-id": await open_session(client)}
        served = await other.post("/mcp", json=call("return 1"), headers=headers)
        assert served.json()["result"]["structuredContent"]["sessionId"] == headers["mcp-session-id"]
        async with there.client("bob") as foreign, there.client("eve") as stranger:
            for one in (foreign, stranger):
                refused = await one.post("/mcp", json=call("return 1"), headers=headers)
                assert (refused.status_code, refused.json()["error"]["code"]) == (403, -32003)


async def test_forged_and_foreign_answers_decide_nothing() -> None:
    async with replicas() as (here, there), here.client() as client, there.client() as other:
        await other.post("/mcp", json=call("return 1"), headers=await native_session(other))
        headers = await native_session(client)
        async with client.stream("POST", "/mcp", json=call("ask one"), headers=headers) as stream:
            asked = await next_message(stream.aiter_lines())
            foreign = await native_session(other)
            made_up = SentElicitation("exec_1", "int_1", "approval", False, headers["mcp-session-id"]).sealed(
                Seals()
            )
            for identifier in (made_up, "int_1", 1, None, asked["id"][:-2]):
                answer = {**accepted(asked), "id": identifier}
                assert (await other.post("/mcp", json=answer, headers=headers)).status_code == 202
            assert (await other.post("/mcp", json=accepted(asked), headers=foreign)).status_code == 202
            nonsense = {**accepted(asked), "result": {"action": "please"}}
            assert (await other.post("/mcp", json=nonsense, headers=headers)).status_code == 202
        assert here.board.paused["exec_1"].decided == {}


# ---- 2026-07-28: the state that a client hands back ----------------------------------------------------------------
WHO: JsonObject = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}


async def post(client: httpx2.AsyncClient, code: str, **more: Any) -> JsonObject:
    params = {"name": "execute", "arguments": {"code": code}, **more}
    answer = await client.post(
        NATIVE, json=envelope("tools/call", params, **WHO), headers=modern_headers("tools/call", "execute")
    )
    body: JsonObject = answer.json()
    return body


def answers(result: JsonObject) -> JsonObject:
    said = {"action": "accept", "content": {"decision": "accept"}}
    return {
        "requestState": result["requestState"],
        "inputResponses": dict.fromkeys(result["inputRequests"], said),
    }


async def test_a_retry_on_another_replica_goes_on_with_the_same_execution() -> None:
    async with replicas() as (here, there), here.client() as client, there.client("alice-too") as other:
        result = (await post(client, "ask one"))["result"]
        assert result["resultType"] == "input_required"
        assert "exec_1" not in result["requestState"]
        for _ in range(2):
            done = (await post(other, "ask one", **answers(result)))["result"]
            assert done["content"][0]["text"] == "approved"
        assert len(here.board.requests) == 1


async def test_answers_that_are_missing_or_wrong_are_asked_for_again() -> None:
    async with replicas() as (here, _), here.client() as client:
        result = (await post(client, "ask one"))["result"]
        state = {"requestState": result["requestState"]}
        other: JsonObject = {"int_9": {"action": "accept", "content": {"decision": "accept"}}}
        tries: list[JsonObject] = [{}, {"inputResponses": {}}, {"inputResponses": other}]
        for responses in tries:
            again = (await post(client, "ask one", **state, **responses))["result"]
            assert again["resultType"] == "input_required"
        assert here.board.paused["exec_1"].decided == {}


@pytest.mark.parametrize("case", ["changed", "other code", "other account", "made up", "other keys"])
async def test_a_state_that_is_not_ours_is_refused_and_runs_nothing(case: str) -> None:
    async with replicas() as (here, there), here.client() as client, there.client("bob") as bob:
        result = (await post(client, "ask one"))["result"]
        sent, code = answers(result), "ask one"
        if case == "changed":
            middle = len(sent["requestState"]) // 2
            changed = "A" if sent["requestState"][middle] != "A" else "B"
            sent["requestState"] = (
                sent["requestState"][:middle] + changed + sent["requestState"][middle + 1 :]
            )
        elif case == "other code":
            code = "ask two"
        elif case == "made up":
            sent["requestState"] = "exec_1"
        elif case == "other keys":
            sent["requestState"] = Seals((Secret("z" * 32),)).seal(b"{}")
        refused = await post(bob if case == "other account" else client, code, **sent)
        assert refused["error"]["code"] == types.INVALID_PARAMS
        assert "requestState" in refused["error"]["message"]
        assert len(here.board.requests) == 1
        assert here.board.paused["exec_1"].decided == {}


async def test_the_sdk_client_sees_the_same_refusal() -> None:
    async with serving() as server, connected(server, MODERN, NATIVE, Person("accept")) as client:
        with pytest.raises(MCPError, match="requestState"):
            await client.session.call_tool("execute", {"code": "ask one"}, request_state="x1.forged")
        assert server.board.requests == []
