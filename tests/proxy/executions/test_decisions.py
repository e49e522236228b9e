"""Looking executions up and taking decisions; who may is tested in tests/security/test_approvals.py."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from integrations.conversation import ElicitAction
from policies import Rule
from proxy.config import ElicitationMode
from proxy.executions import DecisionReport, ExecutionView, InteractionDecision, Via
from proxy.principal import Principal
from tests.proxy.executions.world import ALICE, BOB, World, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
TWO = "return await Promise.all([1, 2].map((n) => tools.demo.org.main.things.create({n})))"


async def test_each_question_is_decided_alone_and_the_rest_waits_on() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(TWO)
        one, other = (question.id for question in first.interactions)
        outcome = await running.executions.decide(
            first.execution_id, {one: InteractionDecision("accept")}, ALICE, "rest"
        )
        assert outcome.taken == {one: "accept"}
        second = await running.executions.wait(first.execution_id, ALICE, 0)
        assert [question.id for question in second.interactions] == [other]
        outcome = await running.executions.decide(
            first.execution_id, {one: InteractionDecision("decline")}, ALICE, "rest"
        )
        assert outcome.refused == {one: "already_decided"}
        outcome = await running.executions.decide(
            first.execution_id, {"int_no": InteractionDecision("accept")}, ALICE, "rest"
        )
        assert outcome.refused == {"int_no": "not_found"}


async def test_the_first_decision_stands() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(TWO)
        decide = running.executions.decide
        assert not (
            await decide(first.execution_id, {"*": InteractionDecision("accept")}, ALICE, "rest")
        ).refused
        late = await decide(first.execution_id, {"*": InteractionDecision("decline")}, ALICE, "rest")
        assert set(late.refused.values()) == {"already_decided"}
        assert not (
            await decide(first.execution_id, {"*": InteractionDecision("accept")}, ALICE, "rest")
        ).refused


async def test_an_approver_sees_the_executions_of_others() -> None:
    boss = replace(ALICE, account_id="key:boss", groups=frozenset({"approvers"}))
    async with world(rules=[ASK], is_approver=lambda who: bool(who.groups)) as running:
        first = await running.run(TWO)
        (shown,) = (await running.executions.list(boss, status="paused")).items
        assert shown.id == first.execution_id
        assert len(await running.executions.pending(boss)) == 2
        assert await running.executions.show(first.execution_id, boss) == shown


async def test_an_answer_shows_before_anybody_has_carried_it_out() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(TWO)
        one, other = (question.id for question in first.interactions)
        await running.executions.decide(
            first.execution_id, {one: InteractionDecision("decline")}, ALICE, "browser"
        )
        shown = await running.executions.show(first.execution_id, ALICE)
        assert shown is not None
        assert (shown.status, shown.decided) == ("waiting_for_interaction", {one: "decline"})
        assert [each.interaction.id for each in await running.executions.pending(ALICE)] == [other]
        await running.executions.wait(first.execution_id, ALICE, 0)
        shown = await running.executions.show(first.execution_id, ALICE)
        assert shown is not None
        assert shown.decided == {one: "decline"}


CREATE = "return await tools.demo.org.main.things.create({n: 1})"


async def test_pages_go_on_where_the_one_before_ended() -> None:
    async with world(rules=[ASK]) as running:
        ids = [(await running.run(CREATE)).execution_id for _ in range(3)]
        first = await running.executions.list(ALICE, limit=2)
        second = await running.executions.list(ALICE, limit=2, cursor=first.cursor)
        foreign = await running.executions.list(BOB)
    assert sorted(one.id for one in (*first.items, *second.items)) == sorted(ids)
    assert second.cursor is None
    assert foreign.items == ()


async def test_questions_come_oldest_first_and_only_to_those_who_may_see_them() -> None:
    async with world(rules=[ASK], is_approver=lambda who: who.account_id == "key:boss") as running:
        ids = [(await running.run(CREATE)).execution_id for _ in range(2)]
        mine = await running.executions.pending(ALICE)
        assert await running.executions.pending(BOB) == ()
    assert sorted(one.execution_id for one in mine) == sorted(ids)
    assert [one.created_at_ms for one in mine] == sorted(one.created_at_ms for one in mine)


# ---- a decision made elsewhere counts --------------------------------------------------------------------------------
HUMAN = Rule("ask", "demo.org.main.things.create", "require_approval", approver="human")
ONE = "try { return (await tools.demo.org.main.things.create({n: 1})).ok } catch (e) { return e.message }"
BOSS = replace(ALICE, account_id="key:boss", groups=frozenset({"approvers"}))


def is_boss(who: Principal) -> bool:
    return who.account_id == BOSS.account_id


@pytest.mark.parametrize("rule", [ASK, HUMAN], ids=["model", "human"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["recorded", "carried out"])
@pytest.mark.parametrize(
    ("said", "then", "words"),
    [
        ("accept", "accept", ""),
        ("decline", "accept", "A person declined this"),
        ("cancel", "accept", "A person cancelled this"),
        ("accept", "decline", "A person approved this"),
    ],
)
async def test_what_a_person_decided_elsewhere_counts(
    rule: Rule, carried_out: bool, said: ElicitAction, then: str, words: str
) -> None:
    async with world(rules=[rule], is_approver=is_boss) as running:
        execution = (await running.run(ONE)).execution_id
        await running.executions.decide(execution, {"*": InteractionDecision(said)}, BOSS, "rest")
        if carried_out:
            await running.executions.wait(execution, ALICE, 0)
        result = await running.executions.resume(execution, then, None, None, ALICE)
        assert words in (result.note or "")
        assert bool(words) == bool(result.note)
        assert (result.result is True) == (said == "accept")
        assert "run the code again" not in result.text().lower()
        assert (result.recovery, len(running.upstream.sent)) == (None, int(said == "accept"))


async def test_ones_own_decision_is_final_and_its_result_is_where_it_was() -> None:
    async with world(rules=[ASK]) as running:
        execution = (await running.run(ONE)).execution_id
        await running.executions.resume(execution, "decline", None, None, ALICE)
        late = await running.executions.resume(execution, "accept", None, None, ALICE)
        seen = await running.executions.resume(execution, None, None, None, ALICE)
    assert (late.status, late.recovery) == ("execution_already_settled", None)
    assert f'resume with {{"executionId": "{execution}"}} only' in late.text()
    assert seen.result == "The approval of `demo.org.main.things.create` was declined; the call was not sent."


async def test_who_only_agrees_with_a_decision_has_not_made_it() -> None:
    told: list[DecisionReport] = []
    async with world(rules=[HUMAN], is_approver=is_boss, on_decision=told.append) as running:
        execution = (await running.run(ONE)).execution_id
        await running.executions.decide(execution, {"*": InteractionDecision("accept")}, BOSS, "browser")
        assert (await running.executions.resume(execution, "accept", None, None, ALICE)).result is True
    assert [(one.decider.account_id, one.refused) for one in told] == [("key:boss", None)]


@pytest.mark.parametrize("mode", ["browser", "native"])
@pytest.mark.parametrize(
    ("who", "via", "counts"),
    [
        (ALICE, "rest", False),
        (ALICE, "cli", False),
        (ALICE, "mcp", False),
        (BOSS, "mcp", False),
        (ALICE, "browser", True),
        (ALICE, "native", True),
        (BOSS, "rest", True),
        (BOSS, "browser", True),
    ],
)
@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_where_a_person_is_to_decide_no_machine_of_the_asking_account_does(
    mode: ElicitationMode, who: Principal, via: Via, counts: bool, action: ElicitAction
) -> None:
    async with world(rules=[ASK], is_approver=is_boss) as running:
        execution = (await running.run(ONE, mode=mode)).execution_id
        outcome = await running.executions.decide(execution, {"*": InteractionDecision(action)}, who, via)
    assert outcome.first_refusal == (None if counts else "needs_approval_page")


async def test_what_the_config_wants_holds_for_an_execution_of_another_mode() -> None:
    async with world(rules=[ASK], is_approver=is_boss, person_decides=lambda _: True) as running:
        execution = (await running.run(ONE)).execution_id
        (own,), (others,) = await running.executions.pending(ALICE), await running.executions.pending(BOSS)
        by_rest = await running.executions.decide(
            execution, {"*": InteractionDecision("accept")}, ALICE, "rest"
        )
    assert by_rest.first_refusal == "needs_approval_page"
    assert (own.page_only, others.page_only) == (True, False)


async def test_what_nobody_waits_for_goes_on_by_itself() -> None:
    """Each decision drives it on to the next result; where somebody waits, a decision alone drives nothing."""
    async with world(rules=[ASK]) as running, asyncio.timeout(60):
        decide = running.executions.decide
        attended = await running.run(CREATE)
        await decide(attended.execution_id, {"*": InteractionDecision("accept")}, ALICE, "browser")
        lonely = await running.run(TWO, unattended=True)
        shown = await shown_of(running, lonely.execution_id)
        for question, waiting in zip(lonely.interactions, (1, 0), strict=True):
            decision = {question.id: InteractionDecision("accept")}
            await decide(lonely.execution_id, decision, ALICE, "browser")
            shown = await shown_of(running, lonely.execution_id)
            while len(shown.interactions) > waiting or shown.status == "running":
                await asyncio.sleep(0)
                shown = await shown_of(running, lonely.execution_id)
        assert shown.status == "completed"
        assert (await shown_of(running, attended.execution_id)).status == "waiting_for_interaction"


async def shown_of(running: World, execution_id: str) -> ExecutionView:
    shown = await running.executions.show(execution_id, ALICE)
    assert shown is not None
    return shown
