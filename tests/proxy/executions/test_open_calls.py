"""Calls that ask in the middle: two processes share a store, and only one of them holds the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest
from policies import Rule
from proxy.calls import Settlement, Talk
from proxy.executions import ExecutionLimits, ExecutionResult, InteractionDecision
from proxy.executions.machine.journal import AskingCall
from proxy.executions.open_calls import CANCELLED, OpenCall, OpenCalls
from proxy.state import ExecutionRecord, MemoryState
from tests.proxy.executions.world import ALICE, WHO, Talking, World, talking, world
from tests.proxy.support import LIMIT_SECONDS

CREATE = "return (await tools.demo.org.main.things.create({n: 1})).data"
LIST = "return (await tools.demo.org.main.things.list({n: 1})).data"
ADA = {"name": "Ada"}
ACCEPTED = {"action": "accept", "content": ADA}


@asynccontextmanager
async def process(state: MemoryState, upstream: Talking | None = None, **more: Any) -> AsyncIterator[World]:
    async with world(upstream or talking(), state=state, **more) as one:
        try:
            yield one
        finally:
            await one.executions.let_go(0)


async def resumed(one: World, first: ExecutionResult, action: str = "accept", **more: Any) -> ExecutionResult:
    async with asyncio.timeout(LIMIT_SECONDS):
        return await one.executions.resume(first.execution_id, action, ADA, None, ALICE, **more)


async def test_the_call_stays_under_way_while_its_execution_waits() -> None:
    async with process(MemoryState()) as one:
        first = await one.run(CREATE)
        assert (first.status, one.executions.running) == ("waiting_for_interaction", 0)
        (question,) = first.interactions
        assert (question.kind, question.requested_schema) == ("form", WHO)
        assert [call.code for call in first.calls] == ["input_required"]
        upstream = one.upstream
        assert isinstance(upstream, Talking)
        assert upstream.open == {"things.create"}
        done = await resumed(one, first)
        assert done.result == [ACCEPTED]
        assert one.upstream.sent == [("things.create", {"n": 1})], "sent once"
        assert [(call.path, call.ok) for call in done.calls] == [("demo.org.main.things.create", True)]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_no_travels_to_the_upstream(action: str) -> None:
    async with process(MemoryState()) as one:
        assert (await resumed(one, await one.run(CREATE), action)).result == [{"action": action}]


async def test_an_answer_given_elsewhere_reaches_the_call_here() -> None:
    state = MemoryState()
    async with process(state) as here, process(state) as there:
        first = await here.run(CREATE)
        done = await resumed(there, first)
        assert done.result == [ACCEPTED]
        assert (len(here.upstream.sent), len(there.upstream.sent)) == (1, 0)


async def test_a_call_may_ask_again() -> None:
    state = MemoryState()
    async with process(state, talking(rounds=3)) as here, process(state) as there:
        first = await here.run(CREATE)
        second = await resumed(there, first)
        assert second.status == "waiting_for_interaction"
        assert "who? (1)" in second.interactions[0].message
        assert second.interactions[0].id != first.interactions[0].id
        third = await resumed(here, second)
        assert (await resumed(there, third)).result == [ACCEPTED] * 3


async def test_content_that_does_not_fit_leaves_the_question_open() -> None:
    async with process(MemoryState()) as one:
        first = await one.run(CREATE)
        wrong = await one.executions.resume(first.execution_id, "accept", {"name": 1}, None, ALICE)
        assert (wrong.status, wrong.interactions) == ("waiting_for_interaction", first.interactions)
        assert "does not fit the form" in (wrong.note or "")
        assert (await resumed(one, first)).result == [ACCEPTED]


async def test_one_pause_shows_approvals_and_questions_and_each_is_decided_alone() -> None:
    rules = [Rule("ask", "demo.org.main.things.delete", "require_approval")]
    code = """const {create, delete: remove} = tools.demo.org.main.things;
    const all = await Promise.all([create({}), remove({})]);
    return all.map((one) => one.data)"""
    async with process(MemoryState(), rules=rules) as one:
        first = await one.run(code)
        assert [question.kind for question in first.interactions] == ["form", "approval"]
        form, approval = (question.id for question in first.interactions)
        await one.executions.decide(
            first.execution_id, {approval: InteractionDecision("accept")}, ALICE, "rest"
        )
        second = await one.executions.wait(first.execution_id, ALICE, 0)
        assert [question.id for question in second.interactions] == [form], "the same question still"
        assert second.interactions[0].expires_at_ms == first.interactions[0].expires_at_ms
        assert (await resumed(one, second)).result == [[ACCEPTED], {}]


async def test_a_call_that_needed_approval_may_ask_too() -> None:
    rules = [Rule("ask", "demo.org.main.things.create", "require_approval", approver="human")]
    boss = replace(ALICE, account_id="key:boss")
    async with process(MemoryState(), rules=rules, is_approver=lambda who: who == boss) as one:
        first = await one.run(CREATE)
        await one.executions.decide(first.execution_id, {"*": InteractionDecision("accept")}, boss, "rest")
        second = await one.executions.wait(first.execution_id, ALICE, 0)
        (question,) = second.interactions
        assert (question.kind, question.approver) == ("form", "human")
        refused = await resumed(one, second)
        assert refused.status == "waiting_for_interaction"
        await one.executions.decide(
            first.execution_id, {"*": InteractionDecision("accept", ADA)}, boss, "rest"
        )
        assert (await one.executions.wait(first.execution_id, ALICE, LIMIT_SECONDS)).result == [ACCEPTED]


@pytest.mark.parametrize(("code", "repeated"), [(CREATE, False), (LIST, True)])
async def test_when_the_process_that_holds_it_is_gone_the_rule_of_crashes_holds(
    code: str, repeated: bool
) -> None:
    state = MemoryState()
    async with process(state) as there:
        async with process(state) as here:
            first = await here.run(code)
            upstream = here.upstream
        assert isinstance(upstream, Talking)
        assert len(upstream.cancelled) == 1, "the upstream is told"
        second = await resumed(there, first)
        assert second.status == "waiting_for_interaction"
        assert [one.kind for one in second.interactions] == ["form" if repeated else "outcome_unknown"]
        assert len(there.upstream.sent) == repeated
        content = ADA if repeated else {"outcome": "fail"}
        last = await there.executions.resume(first.execution_id, "accept", content, None, ALICE)
        assert last.status == "completed"


async def test_cancelling_the_execution_cancels_the_call() -> None:
    async with process(MemoryState()) as one:
        first = await one.run(CREATE)
        assert await one.executions.cancel(first.execution_id, ALICE)
        assert isinstance(one.upstream, Talking)
        assert one.upstream.cancelled == ["things.create"]
        assert (await one.executions.wait(first.execution_id, ALICE, 0)).status == "canceled"


async def test_a_question_that_nobody_answers_in_time_cancels_the_call() -> None:
    limits = ExecutionLimits(approval_timeout_ms=1.0)
    async with process(MemoryState(), limits=limits) as one:
        first = await one.run(CREATE)
        async with asyncio.timeout(LIMIT_SECONDS):
            late = await one.executions.wait(first.execution_id, ALICE, LIMIT_SECONDS)
        assert late.status == "execution_expired"
        assert isinstance(one.upstream, Talking)
        assert one.upstream.cancelled == ["things.create"]


async def test_code_that_is_cancelled_leaves_no_call_behind() -> None:
    code = "tools.demo.org.main.things.create({}); await sleep(600000)"
    async with process(MemoryState()) as one:
        task = asyncio.create_task(one.run(code))  # noqa: TID251 - awaited right here
        assert isinstance(one.upstream, Talking)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not one.upstream.open:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert one.upstream.cancelled == ["things.create"]


# ---- calls ---------------------------------------------------------------------------------------------------------
ASKING = AskingCall("demo.org.main.things.create", "{}", "model")


def open_calls(most: int = 64) -> OpenCalls:
    """Without executions, so that nothing can be continued."""

    async def never(record: ExecutionRecord) -> bool:
        raise AssertionError(record)

    return OpenCalls(MemoryState(), never, never, most)


async def asking(talk: Talk) -> Settlement:
    assert talk.ask is not None
    answer = await talk.ask(ElicitationRequest("who?", schema=WHO))
    return Settlement((answer.action if answer is not None else "refused").encode(), True)


def talk() -> Talk:
    return Talk(lambda text: None)


async def said(one: OpenCall) -> bytes:
    async with asyncio.timeout(LIMIT_SECONDS):
        outcome = await one.outcome()
    assert isinstance(outcome, Settlement)
    return outcome.body


async def test_only_so_many_questions_are_open_at_a_time() -> None:
    calls = open_calls(most=1)
    first = calls.begin("exec_1", 0, talk(), asking, ASKING)
    assert isinstance(await first.news(), ElicitationRequest)
    second = calls.begin("exec_2", 0, talk(), asking, ASKING)
    assert await said(second) == b"refused"
    first.answer(ElicitationAnswer("decline"))
    assert await said(first) == b"decline"
    third = calls.begin("exec_3", 0, talk(), asking, ASKING)
    assert isinstance(await third.news(), ElicitationRequest)
    await calls.close()


async def test_what_cannot_be_shown_is_refused() -> None:
    async def hidden(talk: Talk) -> Settlement:
        assert talk.ask is not None
        answer = await talk.ask(ElicitationRequest("go", url="javascript:alert(1)"))
        return Settlement(b"refused" if answer is None else b"asked", True)

    assert await said(open_calls().begin("exec_1", 0, talk(), hidden, ASKING)) == b"refused"


async def test_a_question_that_the_upstream_withdraws_is_over() -> None:
    answers: list[ElicitationAnswer | None] = []

    async def withdrawing(talk: Talk) -> Settlement:
        assert talk.ask is not None
        question = talk.ask(ElicitationRequest("who?", schema=WHO))
        asked = asyncio.ensure_future(question)  # noqa: TID251 - its end is awaited below
        asked.add_done_callback(lambda task: answers.append(task.result()))
        await asyncio.sleep(0)
        return Settlement(b"never mind", True)

    one = open_calls().begin("exec_1", 0, talk(), withdrawing, ASKING)
    assert await said(one) == b"never mind"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert answers == [CANCELLED]
    one.answer(ElicitationAnswer("accept"))
