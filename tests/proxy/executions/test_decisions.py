"""Looking executions up and taking decisions; who may is tested in tests/security/test_approvals.py."""

from __future__ import annotations

from dataclasses import replace

from policies import Rule
from proxy.executions import InteractionDecision
from tests.proxy.executions.world import ALICE, BOB, world

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
