"""Waiting for the next result, together or alone."""

from __future__ import annotations

import asyncio

from integrations.base import JsonObject, Result, Success
from policies import Rule
from proxy.executions import ExecutionResult, Executions, InteractionDecision
from proxy.principal import Principal
from tests.proxy.executions.world import ALICE, World, shelf, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "console.log('once'); return await tools.demo.org.main.things.create({n: 1})"


async def test_concurrent_resumes_join() -> None:
    gate, called = asyncio.Event(), asyncio.Event()

    async def gated(arguments: JsonObject) -> Result:
        called.set()
        await gate.wait()
        return Success(arguments)

    async with world(shelf(create=gated), rules=[ASK]) as running, asyncio.TaskGroup() as group:
        first = await running.run(CREATE)
        tasks = [
            group.create_task(running.executions.resume(first.execution_id, "accept", None, None, ALICE))
            for _ in range(5)
        ]
        await called.wait()
        gate.set()
    assert {task.result().status for task in tasks} == {"completed"}
    assert len(running.upstream.sent) == 1


BOSS = Principal("ws", "key:boss", "key")
DECISION = InteractionDecision("accept")
THREE = "for (let n = 0; n < 3; n++) await tools.demo.org.main.things.create({n}); return 'all'"


async def accept(executions: Executions, result: ExecutionResult) -> ExecutionResult:
    return await executions.resume(result.execution_id, "accept", None, None, ALICE)


def sent(running: World) -> list[int]:
    return [args["n"] for _, args in running.upstream.sent]


async def test_a_caller_who_gets_every_pause_may_accept_each_without_naming_it() -> None:
    async with world(rules=[ASK]) as running:
        result = await running.run(THREE)
        for _ in range(3):
            result = await accept(running.executions, result)
        assert (result.result, sent(running)) == ("all", [0, 1, 2])


async def test_a_repetition_decides_nothing_new() -> None:
    """The first answer was lost: its caller went away while the execution was under way."""
    called, gate = asyncio.Event(), asyncio.Event()

    async def gated(arguments: JsonObject) -> Result:
        called.set()
        await gate.wait()
        return Success(arguments)

    async with world(shelf(create=gated), rules=[ASK]) as running, asyncio.TaskGroup() as group:
        first = await running.run(THREE)
        lost = group.create_task(accept(running.executions, first))
        await called.wait()
        lost.cancel()
        gate.set()
        await running.executions.idle()
        again = await accept(running.executions, first)
        assert again.waiting
        assert again.note is not None
        assert "Nothing was decided" in again.note
        assert '"n": 1' in again.interactions[0].args
        assert sent(running) == [0]
        assert (await accept(running.executions, again)).waiting, "now they are seen"
        assert sent(running) == [0, 1]


async def test_what_is_named_needs_not_be_seen() -> None:
    async with world(rules=[ASK], is_approver=lambda who: who == BOSS) as running:
        first = await running.run(THREE)
        await running.executions.decide(
            first.execution_id, {first.interactions[0].id: DECISION}, ALICE, "rest"
        )
        shown = await running.executions.wait(first.execution_id, BOSS, 0)
        named = shown.interactions[0].id
        result = await running.executions.resume(first.execution_id, "accept", None, named, ALICE)
        assert result.waiting
        assert sent(running) == [0, 1]


async def test_each_account_has_seen_what_it_was_given() -> None:
    async with world(rules=[ASK], is_approver=lambda who: who == BOSS) as running:
        first = await running.run(THREE)
        second = await accept(running.executions, first)
        theirs = await running.executions.resume(first.execution_id, "accept", None, None, BOSS)
        assert theirs.note is not None
        assert sent(running) == [0]
        await accept(running.executions, second)
        assert sent(running) == [0, 1]
