"""One execution against a real pool: concurrency, clocks, cancellation, what a hostile worker may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from integrations.base import JsonObject, Result, Success
from proxy.calls import Calls
from proxy.executions import ExecutionLimits, ExecutionOptions, ExecutionRequest, Executions
from proxy.executions.context import wall_clock
from proxy.executions.machine.events import CancelRequested, DeadlineReached, TimerDue
from proxy.executions.machine.journal import DispatchRecord, SettleRecord, StartRecord, decode
from proxy.executions.machine.state import MachineLimits
from proxy.executions.run import EventQueue, OutputBuffer, size_of
from proxy.sandbox import (
    Blocked,
    Delivery,
    Done,
    PoolBusy,
    StartMessage,
    ToolCall,
    Worker,
    WorkerGone,
    WorkerMessage,
)
from proxy.state import Lease, MemoryState, Owner
from tests.proxy.executions.world import ALICE, Noted, connection, live_with, shelf, workspace, world

OWNER = Owner("ws", "key:alice")


async def test_calls_run_at_the_same_time_and_results_come_in_the_order_of_settling() -> None:
    gates = {name: asyncio.Event() for name in "abc"}

    async def gated(arguments: JsonObject) -> Result:
        me = arguments["me"]
        await gates[me].wait()
        if me != "a":
            gates[chr(ord(me) - 1)].set()
        return Success(me)

    gates["c"].set()
    async with world(shelf(get=gated)) as running:
        value = await running.value(
            """const order = [];
            await Promise.all(["a", "b", "c"].map(async (me) => {
              order.push((await tools.demo.org.main.things.get({me})).data);
            }));
            return order"""
        )
        assert value == ["c", "b", "a"]
        assert running.upstream.most_underway == 3


async def test_the_limit_of_parallel_calls_is_a_queue_not_an_error() -> None:
    async def yielding(arguments: JsonObject) -> Result:
        for _ in range(3):
            await asyncio.sleep(0)
        return Success(arguments)

    limits = ExecutionLimits(machine=MachineLimits(parallel=3))
    async with world(shelf(get=yielding), limits=limits) as running:
        value = await running.value(
            "return (await Promise.all([...Array(20).keys()].map((i) => tools.demo.org.main.things.get({i}))))"
            ".filter((r) => r.ok).length"
        )
        assert value == 20
        assert running.upstream.most_underway == 3


async def test_the_journal_has_start_dispatch_and_settlement() -> None:
    state = KeepingState()
    async with world(state=state) as running:
        result = await running.run("return await tools.demo.org.main.things.get({b: 1, a: 2})")
    lines = await state.read_journal(result.execution_id, OWNER)
    start, sent, settled = (decode(line) for line in lines)
    assert isinstance(start, StartRecord)
    assert isinstance(sent, DispatchRecord)
    assert sent.path == "demo.org.main.things.get"
    assert isinstance(settled, SettleRecord)
    assert settled.clock >= start.now


async def test_a_cancelled_caller_leaves_no_worker_and_no_call_behind() -> None:
    called = asyncio.Event()

    async def forever(arguments: JsonObject) -> Result:
        called.set()
        await asyncio.Event().wait()
        return Success(None)

    ends: list[Any] = []
    async with world(shelf(slow=forever), on_execution=ends.append) as running:
        task = asyncio.get_running_loop().create_task(
            running.run("await tools.demo.org.main.things.slow({})")
        )
        await called.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert running.upstream.underway == 0
        assert running.executions.running == 0
        assert running.pool.stats().busy == 0
        assert running.live.leases() == 0
    assert [end.status for end in ends] == ["canceled"]


async def test_cancel_all_gives_every_execution_a_result_that_says_so() -> None:
    called = asyncio.Event()

    async def forever(arguments: JsonObject) -> Result:
        called.set()
        await asyncio.Event().wait()
        return Success(None)

    async with world(shelf(slow=forever)) as running:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(running.run("await tools.demo.org.main.things.slow({})"))
            await called.wait()
            assert await running.executions.cancel_all("The server is shutting down.") == 0
        result = task.result()
        assert result.status == "canceled"
        assert result.exit_code == 130
        assert "shutting down" in result.text()
        assert [call.code for call in result.calls] == ["outcome_unknown"]


async def test_active_time_ends_an_endless_loop() -> None:
    async with world() as running:
        result = await running.run("while (true) {}", timeout_ms=100)
        assert result.status == "timeout"
        assert result.exit_code == 124


async def test_waiting_for_a_call_is_not_active_time() -> None:
    """T21: the upstream takes ten times the active time that the code has, on a clock that only the test moves."""
    now = 1_000_000.0

    def clock() -> float:
        return now

    async def slow(arguments: JsonObject) -> Result:
        nonlocal now
        now += 1000
        return Success("late")

    async with world(shelf(get=slow), clock=clock) as running:
        result = await running.run("return (await tools.demo.org.main.things.get({})).data", timeout_ms=100)
        assert result.result == "late"


async def test_a_timer_moves_the_virtual_clock() -> None:
    async with world() as running:
        assert (
            await running.value("const a = Date.now(); await sleep(15); return Date.now() - a >= 15") is True
        )


async def test_calls_nobody_awaited_are_sent_and_settled_before_the_answer() -> None:
    async with world() as running:
        result = await running.run(
            "for (let i = 0; i < 70; i++) tools.demo.org.main.things.create({i}); return 'sent'"
        )
        assert result.result == "sent"
        assert len(running.upstream.sent) == 70
        assert [call.ok for call in result.calls] == [True] * 70


async def test_code_that_throws_does_not_send_what_it_had_not_sent() -> None:
    async with world() as running:
        result = await running.run("tools.demo.org.main.things.create({}); throw new Error('no')")
        assert result.status == "failed"
        assert running.upstream.sent == []
        assert [call.code for call in result.calls] == ["not_sent"]


async def test_the_observer_hears_of_calls_and_logs() -> None:
    async with world() as running:
        await running.run("console.warn('w'); await tools.demo.org.main.things.get({})")
        assert running.observer.events == [
            ("log", "warn", "w"),
            ("started", 0, "demo.org.main.things.get"),
            ("finished", 0, True, None),
        ]


class KeepingState(MemoryState):
    """A store that forgets no journal."""

    async def drop_journal(self, execution_id: str, owner: Owner, *, written: bool = True) -> None:
        """Kept."""


class FullState(MemoryState):
    """A store that takes `room` appends and then fails."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    async def append_journal(
        self,
        execution_id: str,
        owner: Owner,
        records: Sequence[bytes],
        *,
        lease: Lease | None = None,
        durable: bool = True,
    ) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError("disk full")
        await super().append_journal(execution_id, owner, records, lease=lease, durable=durable)


@pytest.mark.parametrize("room", [0, 1, 2])
async def test_nothing_happens_that_the_store_did_not_take(room: int) -> None:
    async with world(state=FullState(room)) as running:
        result = await running.run(
            "await tools.demo.org.main.things.create({}); return await tools.demo.org.main.things.get({})"
        )
        assert result.status == "failed"
        assert result.error is not None
        assert result.error.name == "StateError"
        assert len(running.upstream.sent) == max(0, room - 1)


# ---- workers that do not play by the rules: the same interface, another other side ---------------------------------
class Scripted:
    """A worker that says these messages, one for each that it is sent."""

    def __init__(self, *messages: WorkerMessage | WorkerGone) -> None:
        self.messages = list(messages)
        self.killed = False

    async def start(self, message: StartMessage) -> None:
        """Listens."""

    async def deliver(self, deliveries: list[Delivery]) -> None:
        """Listens."""

    async def receive(self) -> WorkerMessage:
        message = self.messages.pop(0)
        if isinstance(message, WorkerGone):
            raise message
        return message

    def kill(self, detail: str = "") -> None:
        self.killed = True


class OneWorker:
    """A source of exactly this worker, or of an error."""

    def __init__(self, worker: Scripted | Exception) -> None:
        self.given = worker

    @asynccontextmanager
    async def worker(self, workspace_id: str, deadline_seconds: float, account: str) -> AsyncIterator[Worker]:
        if isinstance(self.given, Exception):
            raise self.given
        yield cast(Worker, self.given)


async def run_on(worker: Scripted | Exception, limits: ExecutionLimits | None = None) -> Any:
    live = live_with(workspace([connection("demo.org.main", shelf())]))
    state = MemoryState()
    fixed = limits or ExecutionLimits()
    options = ExecutionOptions(limits=lambda _: fixed)
    executions = Executions(OneWorker(worker), Calls(live, state), live, state, options)
    return await executions.execute(ExecutionRequest("code"), ALICE, Noted())


async def test_a_worker_that_numbers_its_calls_wrongly_is_stopped() -> None:
    worker = Scripted(Blocked((ToolCall(5, "p", {}),), None, (), ()))
    result = await run_on(worker)
    assert worker.killed
    assert result.error.name == "SandboxError"


@pytest.mark.parametrize(("reason", "name"), [("memory", "MemoryLimitError"), ("cpu", "CpuLimitError")])
async def test_the_death_of_a_worker_is_explained(reason: Any, name: str) -> None:
    result = await run_on(Scripted(WorkerGone(reason, "detail")))
    assert result.status == "failed"
    assert result.error.name == name


async def test_no_free_worker_is_a_failed_execution_not_an_exception() -> None:
    result = await run_on(PoolBusy("too many executions are waiting for a sandbox worker"))
    assert result.status == "failed"
    assert "too many executions" in result.error.message


async def test_a_worker_that_floods_is_bounded_here_too() -> None:
    flood = tuple(("log", "x" * 1000) for _ in range(2000))
    limits = replace(ExecutionLimits(), log_bytes=1000, emit_bytes=1000)
    worker = Scripted(Done(True, 1, True, None, (), flood, ("y" * 1000,) * 100))
    result = await run_on(worker, limits)
    assert sum(len(text) for _, text in result.logs) < 100_000
    assert len(result.emitted) <= 2


async def test_idle_returns_when_the_last_execution_is_over() -> None:
    gate = asyncio.Event()
    called = asyncio.Event()

    async def gated(arguments: JsonObject) -> Result:
        called.set()
        await gate.wait()
        return Success(None)

    async with world(shelf(get=gated)) as running, asyncio.TaskGroup() as group:
        task = group.create_task(running.run("return await tools.demo.org.main.things.get({})"))
        await called.wait()
        assert running.executions.running == 1
        assert await running.executions.cancel_all(seconds=0) == 1
        await running.executions.idle()
    assert task.result().status == "canceled"


class Hands:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_what_came_is_before_timers_and_the_deadline_before_everything() -> None:
    clock = Hands()
    events = EventQueue(4, clock)
    events.wake_at(1000.0)
    events.put(CancelRequested(1000.0, "no"))
    assert await events.next(2000.0) == CancelRequested(1000.0, "no")
    assert await events.next(2000.0) == TimerDue(1000.0)
    events.put(CancelRequested(1000.0, "late"))
    assert await events.next(1000.0) == DeadlineReached(1000.0)


async def test_it_waits_for_time_to_pass() -> None:
    clock = wall_clock()
    assert isinstance(await EventQueue(4, clock).next(clock() + 5), DeadlineReached)


def test_what_was_heard_counts_every_kind_of_value() -> None:
    heard = OutputBuffer(1000, 20)
    heard.take(Blocked((), None, (("log", "a"),), ([1], {"b": None}, ["abc", 1])), Noted())
    assert heard.logs == [("log", "a")]
    assert heard.emits == [[1]]


def test_strings_are_the_bulk() -> None:
    assert size_of({"name": ["abc", None]}) == 8 + (1 + 5) + (1 + 8)
