"""Resume, decide and the list of what waits, over HTTP; T12 on every one of these routes."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from proxy.executions import REFUSALS, DecideOutcome, InteractionDecision
from proxy.executions.interactions import DecisionRefusal
from proxy.serving.rest.approvals import read_decisions, refusal_problem
from proxy.serving.rest.request import ApiProblem
from tests.proxy.serving.support import serving

ROUTES = (
    "/api/executions/exec_1/resume",
    "/api/executions/exec_1/decide",
    "/api/mcp-sessions/s1/executions/exec_1/resume",
)


async def pause(client: httpx2.AsyncClient, word: str = "ask") -> None:
    answer = await client.post("/api/executions", json={"code": f"{word} it", "sessionId": "s1"})
    assert answer.json()["status"] == "waiting_for_interaction"


async def test_resume_decides_and_answers_the_next_result() -> None:
    async with serving() as server, server.client() as client:
        await pause(client)
        waits = await client.post("/api/executions/exec_1/resume")
        done = await client.post(
            "/api/executions/exec_1/resume", json={"action": "accept", "interactionId": "int_1"}
        )
        later = await client.post("/api/executions/exec_1/resume", json={"action": "decline"})
    assert waits.json()["status"] == "waiting_for_interaction"
    assert (done.json()["status"], done.json()["result"]) == ("completed", "approved")
    assert (later.status_code, later.json()["error"]["code"]) == (409, "already_decided")


async def test_resume_can_wait_for_a_person() -> None:
    async with serving() as server, server.client("bob") as bob, server.client("boss") as boss:
        await pause(bob, "human")
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(bob.post("/api/executions/exec_1/resume", json={"waitMs": 20_000}))
            await boss.post("/api/executions/exec_1/decide", json={"action": "accept"})
        assert asking.result().json()["result"] == "approved"


@pytest.mark.parametrize("route", ROUTES)
async def test_t12_another_person_must_approve_on_every_route(route: str) -> None:
    async with serving() as server, server.client("bob") as bob, server.client("boss") as boss:
        await pause(bob, "human")
        own = await bob.post(route, json={"action": "accept"})
        listed = (await bob.get("/api/approvals")).json()["items"][0]
        assert (own.status_code, own.json()["error"]["code"]) == (403, "needs_another_person")
        assert "approver" in own.json()["error"]["message"]
        assert listed["mayApprove"] is False
        assert (await boss.get("/api/approvals")).json()["items"][0]["mayApprove"] is True
        assert server.board.paused["exec_1"].decided == {}
        other = await boss.post(route, json={"action": "accept"})
        assert other.status_code == 200
        ended = await bob.post("/api/executions/exec_1/resume")
    assert ended.json()["result"] == "approved"


@pytest.mark.parametrize("route", ROUTES)
async def test_t14_foreign_and_unknown_ids_look_the_same(route: str) -> None:
    async with serving() as server, server.client("bob") as bob:
        await pause(bob)
        answers = []
        for who in ("alice", "eve"):
            async with server.client(who) as client:
                answers.append(await client.post(route, json={"action": "accept"}))
                answers.append(
                    await client.post(route.replace("exec_1", "exec_9"), json={"action": "accept"})
                )
        assert {one.status_code for one in answers} == {404}
        assert {one.json()["error"]["code"] for one in answers} == {"not_found"}
        assert len({one.content for one in answers}) == 1
        assert server.board.paused["exec_1"].decided == {}


async def test_a_session_has_its_own_executions_only() -> None:
    async with serving() as server, server.client() as client:
        await pause(client)
        shown = await client.get("/api/mcp-sessions/s1/executions/exec_1")
        foreign = await client.get("/api/mcp-sessions/s2/executions/exec_1")
        decided = await client.post(
            "/api/mcp-sessions/s2/executions/exec_1/resume", json={"action": "accept"}
        )
        done = await client.post("/api/mcp-sessions/s1/executions/exec_1/resume", json={"action": "accept"})
    assert shown.json()["sessionId"] == "s1"
    assert (foreign.status_code, decided.status_code) == (404, 404)
    assert done.json() == {"executionId": "exec_1", "status": "completed", "decided": {"int_1": "accept"}}


async def test_what_waits_is_listed_for_those_who_may_see_it() -> None:
    async with serving() as server, server.client("bob") as bob, server.client("alice") as alice:
        await pause(bob)
        (one,) = (await bob.get("/api/approvals")).json()["items"]
        assert (await alice.get("/api/approvals")).json() == {"items": []}
    assert (one["executionId"], one["accountId"], one["mayApprove"]) == ("exec_1", "key:bob", True)
    assert one["interaction"]["rule"]["source"] == "executor.yaml:7"
    assert one["createdAt"].endswith("Z")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "approve"}, "accept, decline or cancel"),
        ({"action": 1}, "accept, decline or cancel"),
        ({"content": {}}, "need an `action`"),
        ({"action": "accept", "content": "[]"}, "`content` must be an object"),
        ({"action": "accept", "content": "{"}, "`content` must be an object"),
        ({"action": "accept", "interactionId": ""}, "`interactionId`"),
        ({"action": "accept", "interactionId": 7}, "`interactionId`"),
        ({"actoin": "accept"}, "Unknown property `actoin`"),
        ({"waitMs": -1}, "`waitMs`"),
        ({"waitMs": True}, "`waitMs`"),
    ],
)
async def test_wrong_decisions_name_the_property(body: dict[str, object], words: str) -> None:
    async with serving() as server, server.client() as client:
        await pause(client)
        answer = await client.post("/api/executions/exec_1/resume", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_argument")
    assert words in answer.json()["error"]["message"]


async def test_deciding_needs_an_action() -> None:
    async with serving() as server, server.client() as client:
        await pause(client)
        answer = await client.post("/api/executions/exec_1/decide", json={})
    assert answer.status_code == 422


def test_content_may_be_text_that_holds_an_object() -> None:
    asked = {"action": "accept", "content": '{"outcome": "retry"}', "interactionId": "int_2"}
    assert read_decisions(asked, action_required=True) == {
        "int_2": InteractionDecision("accept", {"outcome": "retry"})
    }
    assert read_decisions({"action": "cancel"}, action_required=True) == {
        "*": InteractionDecision("cancel", {})
    }
    assert read_decisions({}, action_required=False) == {}
    with pytest.raises(ApiProblem):
        read_decisions({}, action_required=True)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (DecideOutcome(why="not_found"), 404),
        (DecideOutcome(why="forbidden"), 403),
        (DecideOutcome(refused={"a": "expired"}), 410),
        (DecideOutcome(refused={"a": "already_decided"}), 409),
        (DecideOutcome(refused={"a": "needs_content"}), 422),
        (DecideOutcome(refused={"a": "wrong_content"}), 422),
        (DecideOutcome(), 404),
    ],
)
def test_every_refusal_has_a_status(outcome: DecideOutcome, status: int) -> None:
    assert refusal_problem(outcome).fault.status == status


@pytest.mark.parametrize("refusal", sorted(REFUSALS))
def test_every_refusal_has_its_answer(refusal: DecisionRefusal) -> None:
    assert refusal_problem(DecideOutcome(refused={"int_1": refusal})).fault.status >= 400
