"""Executions that are cancelled, here or elsewhere, and executions that outlive the process that drove them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from integrations.base import JsonObject, Result, Success
from policies import Rule
from proxy.calls import Calls
from proxy.executions import ExecutionRequest, ExecutionResult, Executions
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, BOB, Noted, World, shelf, world

LOOP = "const seen = []; for (let i = 0; i < 3; i++) seen.push((await tools.demo.org.main.things.get({i})).data.i);"
ASK = Rule("ask", "demo.org.main.things.delete", "require_approval")


class Shared(MemoryState):
    """A store that two processes share."""

    @property
    def durable(self) -> bool:
        return True


@dataclass
class Two:
    """A process that runs code, and another one."""

    here: Executions
    there: Executions
    world: World
    called: asyncio.Event
    gate: asyncio.Event

    async def underway(self, code: str, group: asyncio.TaskGroup) -> asyncio.Task[ExecutionResult]:
        """The code, waiting in its first call."""
        work = self.here.execute(ExecutionRequest(code), ALICE, Noted())
        task = group.create_task(work)
        await self.called.wait()
        return task


@asynccontextmanager
async def two(state: MemoryState | None = None) -> AsyncIterator[Two]:
    called, gate = asyncio.Event(), asyncio.Event()

    async def gated(arguments: JsonObject) -> Result:
        called.set()
        await gate.wait()
        return Success(arguments)

    async with world(shelf(get=gated, create=gated), [ASK], state=state or Shared()) as first:
        other = Executions(first.pool, Calls(first.live, first.state), first.live, first.state)
        yield Two(first.executions, other, first, called, gate)


async def test_what_only_reads_goes_on_elsewhere() -> None:
    async with two() as both, asyncio.TaskGroup() as group:
        task = await both.underway(LOOP + "return seen", group)
        assert await both.here.hand_over() == 0
        left = task.result()
        assert (left.status, left.is_error) == ("running", False)
        assert "do not run the code again" in left.text()
        both.gate.set()
        assert await both.there.recover() == 1
        result = await both.there.resume(left.execution_id, None, None, None, ALICE)
        assert result.result == [0, 1, 2]
        assert [args["i"] for _, args in both.world.upstream.sent] == [0, 0, 1, 2]


async def test_a_call_that_must_not_be_sent_twice_is_waited_for() -> None:
    code = "const r = await tools.demo.org.main.things.create({}); return r.ok"
    async with two() as both, asyncio.TaskGroup() as group:
        task = await both.underway(code, group)
        leaving = group.create_task(both.here.hand_over(30))
        both.gate.set()
        assert await leaving == 0
        result = await both.there.resume(task.result().execution_id, None, None, None, ALICE)
        assert result.result is True
        assert len(both.world.upstream.sent) == 1


async def test_what_cannot_be_waited_for_is_cancelled_clearly() -> None:
    code = "await tools.demo.org.main.things.create({})"
    async with two() as both, asyncio.TaskGroup() as group:
        task = await both.underway(code, group)
        assert await both.here.hand_over(0) == 0
        result = task.result()
        assert (result.status, result.calls[0].code) == ("canceled", "outcome_unknown")
        again = await both.there.resume(result.execution_id, None, None, None, ALICE)
        assert again.status == "canceled"


async def test_a_store_that_ends_with_the_process_has_nothing_to_hand_over() -> None:
    async with two(MemoryState()) as both, asyncio.TaskGroup() as group:
        task = await both.underway(LOOP, group)
        await both.here.hand_over()
        assert task.result().status == "canceled"


async def test_nothing_begins_in_a_process_that_leaves() -> None:
    async with two() as both:
        await both.here.hand_over()
        assert (await both.here.execute(ExecutionRequest("return 1"), ALICE, Noted())).status == "failed"
        asked = await both.there.execute(
            ExecutionRequest("await tools.demo.org.main.things.delete({})"), ALICE, Noted()
        )
        left = await both.here.resume(asked.execution_id, "accept", None, None, ALICE)
        assert left.status == "waiting_for_interaction", "decided, and left to others"
        assert (await both.there.wait(asked.execution_id, ALICE, 0)).status == "completed"


async def test_another_replica_cancels_what_this_one_runs() -> None:
    code = "await tools.demo.org.main.things.create({}); await tools.demo.org.main.things.create({})"
    async with two() as both, asyncio.TaskGroup() as group:
        listening = group.create_task(both.here.listen())
        task = await both.underway(code, group)
        (shown,) = (await both.there.list(ALICE)).items
        assert not await both.there.cancel(shown.id, BOB), "not hers"
        assert await both.there.cancel(shown.id, ALICE)
        assert (await task).status == "canceled"
        assert not await both.there.cancel(shown.id, ALICE), "it is over"
        listening.cancel()


async def test_what_nobody_drives_is_cancelled_where_it_is_asked_for() -> None:
    async with two() as both, asyncio.TaskGroup() as group:
        task = await both.underway(LOOP, group)
        await both.here.hand_over()
        assert await both.there.cancel(task.result().execution_id, ALICE)
        assert (
            await both.there.resume(task.result().execution_id, None, None, None, ALICE)
        ).status == "canceled"


async def test_cancelling_an_approval_ends_the_execution_and_code_cannot_catch_it() -> None:
    code = """try { await tools.demo.org.main.things.delete({n: 1}) } catch (e) { return 'caught' }
      finally { await tools.demo.org.main.things.list({}) }"""
    async with world(rules=[ASK]) as running:
        paused = await running.run(code)
        assert paused.status == "waiting_for_interaction"
        ended = await running.executions.resume(paused.execution_id, "cancel", None, None, ALICE)
        assert (ended.status, ended.exit_code, ended.has_result) == ("canceled", 130, False)
        assert ended.text() == (
            "CanceledError: The approval of `demo.org.main.things.delete` was cancelled, which ends the execution; "
            "the call was not sent."
        )
        declined = await running.run(code.replace("things.list({})", "things.list({n: 2})"))
        caught = await running.executions.resume(declined.execution_id, "decline", None, None, ALICE)
        assert (caught.status, caught.result) == ("completed", "caught")
