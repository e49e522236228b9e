"""Decisions through `resume`: what is answered when they are not taken."""

from __future__ import annotations

from policies import Rule
from proxy.executions.approvals import DecideOutcome
from proxy.executions.resuming import refused
from tests.proxy.executions.world import ALICE, BOB, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "return (await tools.demo.org.main.things.create({n: 1})).ok"


async def test_a_decision_is_final_and_may_be_repeated() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        assert (await running.executions.resume(first.execution_id, "accept", None, None, ALICE)).result
        assert (await running.executions.resume(first.execution_id, "accept", None, None, ALICE)).result
        other = await running.executions.resume(first.execution_id, "decline", None, None, ALICE)
        assert other.status == "execution_already_settled"
        assert len(running.upstream.sent) == 1


async def test_strangers_learn_nothing() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        stranger = await running.executions.resume(first.execution_id, "accept", None, None, BOB)
        absent = await running.executions.resume("exec_0", "accept", None, None, BOB)
        assert stranger.status == absent.status == "execution_not_found"


def test_refusals_without_a_pause_say_what_to_do() -> None:
    result = refused("exec_1", ALICE, DecideOutcome(why="expired"), None)
    assert (result.status, result.recovery) == ("execution_expired", "re_execute")
