"""One execution: carries out what the machine commands, and tells the machine what happened.

Everything arrives in one bounded queue; the machine is stepped by one task. The worker's answers and the inner calls
have a task each, all owned by the run's TaskGroup, so none of them outlives the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.executions.context import (
    Environment,
    MillisecondClock,
    RunContext,
    not_before,
    start_message,
    within,
)
from proxy.executions.inner_calls import InnerCalls
from proxy.executions.machine.events import (
    CallVerdict,
    CancelRequested,
    DeadlineReached,
    Deliver,
    DispatchCall,
    Ended,
    Finish,
    Finished,
    HandOver,
    HandOverRequested,
    HeldUp,
    Judge,
    Judged,
    KillWorker,
    LostReason,
    MachineCommand,
    MachineEvent,
    Pause,
    Rejoin,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import SettleRecord
from proxy.executions.machine.state import IllegalEvent, MachineState, deadline
from proxy.executions.machine.step import step
from proxy.executions.open_calls import OpenCalls
from proxy.executions.result import SILENT, CallEntry, Observer
from proxy.sandbox import Blocked, Delivery, PoolBusy, PoolUnavailable, Worker, WorkerGone, WorkerMessage
from proxy.state import LeaseLost, Owner, StateUnavailable
from proxy.telemetry import Logger

_log = Logger("executions")
# The pool's own deadline is a second line of defence behind the machine's, so it lies a little later.
_POOL_GRACE_SECONDS = 10.0
_SLICE_MS = 2.0
_AWAY: Final = "the state store does not answer; try again shortly"
NOT_KEPT: Final = "The record of this execution could not be kept, so it was stopped."


class Run:
    """Drives one execution to its end. `drive` is called once."""

    def __init__(self, context: RunContext, environment: Environment, open_calls: OpenCalls) -> None:
        clock, past = environment.clock, context.past
        self._context = context
        self._pool = environment.pool
        self._turns = environment.turns
        self._clock = clock if past is None else not_before(clock, past.clock)
        self.began_ms = clock()
        self._state = MachineState(context.machine)
        self._events = EventQueue(context.machine.parallel + 16, self._clock)
        self._calls = InnerCalls(context, environment.calls, open_calls, self._clock, self._events.put)
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled = self._leaving = self._holding = False
        self.ended: Ended | None = None
        self.paused: Pause | HandOver | None = None
        self.lost: str | None = None
        # Calls of it are under way still, although it has paused.
        self.parked = False
        # No line is longer than the limit that the worker was given, so twice the limit never cuts an honest worker.
        self.output = OutputBuffer(context.limits.log_bytes * 2 + 65_536, context.limits.emit_bytes * 2)
        # Set by whoever drives, when everything about this run is in the store.
        self.over = asyncio.Event()

    @property
    def owner(self) -> Owner:
        """Whose execution it is."""
        return self._context.owner

    def entries(self) -> tuple[CallEntry, ...]:
        """The inner calls so far."""
        return self._calls.listed(self.ended or self.paused)

    def leave_calls_open(self) -> None:
        """It has paused, and its calls stay under way."""
        self.parked = True

    def hand_over(self) -> None:
        """Ask to leave the rest to another process; safe to repeat."""
        if not self._leaving:
            self._leaving = True
            self._events.put(HandOverRequested(self._clock()))

    def cancel(self, why: str) -> None:
        """Ask for the end; safe to repeat."""
        if not self._cancelled:
            self._cancelled = True
            self._events.put(CancelRequested(self._clock(), why))

    @property
    def over_now(self) -> bool:
        """Whether it has ended or paused."""
        return self.ended is not None or self.paused is not None

    async def drive(self) -> Ended | Pause | HandOver:
        """Run to the end, to the next pause, or to where another process continues.

        When this task is cancelled, worker and calls have ended before `CancelledError` is raised.
        """
        try:
            lifetime = self._context.machine.lifetime_ms / 1000 + _POOL_GRACE_SECONDS
            who = self._context.principal
            async with self._pool.worker(who.workspace_id, lifetime, who.account) as worker:
                await self._drive(worker)
        except (PoolBusy, PoolUnavailable) as error:
            self._lose("unavailable", str(error))
        except asyncio.CancelledError:
            if not self.over_now:
                gone = CancelRequested(self._clock(), "The caller went away.")
                self._state, commands = step(self._state, gone)
                self._conclude(commands)
            raise
        ended = self.ended or self.paused
        assert ended is not None
        return ended

    async def _drive(self, worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            self._hold_lease(group)
            await self._take(self._context.first_event(self._clock()), worker, group)
            while not self.over_now:
                last = deadline(self._state)
                assert last is not None
                await self._take(await self._events.next(last), worker, group)
            for task in self._tasks:
                task.cancel()

    def _hold_lease(self, group: asyncio.TaskGroup) -> None:
        """From when there is one. Most executions end without the store having heard of them."""
        if not self._holding and self._context.lease.lease is not None:
            self._holding = True
            self._own(group, self._renew_lease())

    async def _renew_lease(self) -> None:
        """Hold the lease until the run is over; when it is lost, so is the execution."""
        await self._context.lease.renew()
        self._events.put(WorkerLost(self._clock(), "store", "another process has taken it over"))

    # ---- events -------------------------------------------------------------------------------------------------
    async def _take(self, event: MachineEvent, worker: Worker, group: asyncio.TaskGroup) -> None:
        try:
            self._state, commands = step(self._state, event)
        except IllegalEvent as error:
            # A hostile worker can cause this; for any other event it is a defect of ours.
            if not isinstance(event, WorkerBlocked | Finished):
                raise
            _log.warning("sandbox_protocol", execution=self._context.execution_id, error=str(error))
            event = WorkerLost(event.at, "protocol", "")
            self._state, commands = step(self._state, event)
        if isinstance(event, WorkerLost):
            self.lost = event.reason
        while judge := next((one for one in commands if isinstance(one, Judge)), None):
            verdicts = await self._judged(judge)
            self._state, more = step(self._state, Judged(event.at, verdicts))
            commands = (*(one for one in commands if one is not judge), *more)
        self._conclude(commands)
        await self._carry_out(commands, worker, group)

    async def _judged(self, judge: Judge) -> tuple[tuple[int, CallVerdict], ...]:
        """Calls made at once are judged one after another; in between, others may use the event loop."""
        verdicts: list[tuple[int, CallVerdict]] = []
        until = self._clock() + _SLICE_MS
        for one in judge.calls:
            if self._clock() >= until:
                await asyncio.sleep(0)
                until = self._clock() + _SLICE_MS
            verdicts.append((one.call.seq, self._calls.judge(one)))
        return tuple(verdicts)

    def _lose(self, reason: LostReason, detail: str) -> None:
        self.lost = reason
        self._state, commands = step(self._state, WorkerLost(self._clock(), reason, detail))
        self._conclude(commands)

    def _conclude(self, commands: tuple[MachineCommand, ...]) -> None:
        for command in commands:
            if isinstance(command, Finish):
                self.ended = command.ended
            elif isinstance(command, Pause | HandOver):
                self.paused = command

    # ---- commands -----------------------------------------------------------------------------------------------
    async def _carry_out(
        self, commands: tuple[MachineCommand, ...], worker: Worker, group: asyncio.TaskGroup
    ) -> None:
        writes: list[WriteRecord] = []
        for command in commands:
            if isinstance(command, WriteRecord):
                writes.append(command)
                if isinstance(command.record, SettleRecord):
                    self._calls.note(command.record)
                continue
            if writes and not await self._stored(writes, worker, group):
                return
            writes = []
            self._do(command, worker, group)
        if writes:
            await self._stored(writes, worker, group)

    def _do(self, command: MachineCommand, worker: Worker, group: asyncio.TaskGroup) -> None:
        match command:
            case StartWorker():
                self._own(group, self._exchange(worker, None))
            case Deliver(events):
                self._events.wake_at(None)
                self._own(group, self._exchange(worker, list(events)))
            case DispatchCall(call):
                self._own(group, self._calls.send(call))
            case Rejoin(call):
                self._own(group, self._calls.rejoin(call))
            case WaitTimer(at):
                self._events.wake_at(at)
            case KillWorker():
                self._events.wake_at(None)
                worker.kill()
            case _:
                pass  # ends are noted in `_conclude`, before anything was waited for

    def _own(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stored(self, writes: list[WriteRecord], worker: Worker, group: asyncio.TaskGroup) -> bool:
        """Whether the store took them. If not the execution ends: nothing may happen that is not on record."""
        try:
            await self._context.lease.write(writes, guarded=any(map(self._calls.guards, writes)))
            self._hold_lease(group)
            return True
        except LeaseLost:
            why = "another process has taken it over"
        except StateUnavailable:
            # The store logs that itself, once and not for every execution.
            why = _AWAY
        # A boundary: whatever store is configured fails in its own way, and none of them may take others down.
        except Exception as error:
            _log.exception("journal_failed", error, execution=self._context.execution_id)
            why = ""
        self._abandon(worker, why)
        return False

    def _abandon(self, worker: Worker, detail: str) -> None:
        worker.kill()
        if self.paused is not None:
            self.paused = None
            self.lost = "store"
            message = f"{NOT_KEPT} ({detail})" if detail else NOT_KEPT
            self.ended = Ended("failed", name="StateError", message=message)
        elif self.ended is None:
            self._lose("store", detail)

    # ---- tasks --------------------------------------------------------------------------------------------------
    async def _exchange(self, worker: Worker, deliveries: list[Delivery] | None) -> None:
        """Say one thing, the start or these deliveries, and hear the answer."""
        worker.on_wait = lambda waits: self._events.put(HeldUp(self._clock(), waits))
        try:
            if deliveries is None:
                await worker.start(start_message(self._context.start))
            else:
                await worker.deliver(deliveries)
            message = await worker.receive()
            await self._turns.take(self._context.principal.account)
        except WorkerGone as gone:
            self._events.put(WorkerLost(self._clock(), gone.reason, gone.detail))
            return
        # During a replay the observer has heard the lines before.
        observer = SILENT if self._state.phase == "replaying" else self._context.observer
        self.output.take(message, observer)
        now = self._clock()
        if isinstance(message, Blocked):
            self._events.put(WorkerBlocked(now, message.calls, message.wake))
        else:
            self._events.put(Finished(now, message))


# ---- parts of a run ------------------------------------------------------------------------------------------------
class EventQueue:
    """What has happened to an execution and was not told to its machine yet. Bounded, in the order of arrival."""

    def __init__(self, size: int, clock: MillisecondClock) -> None:
        self._clock = clock
        self._events: asyncio.Queue[MachineEvent] = asyncio.Queue(size)
        self._wake_ms: float | None = None

    def put(self, event: MachineEvent) -> None:
        """Never waits: `size` is the most that one execution can have under way."""
        self._events.put_nowait(event)

    def wake_at(self, due_ms: float | None) -> None:
        """When the code's earliest timer is due; None when it waits for none."""
        self._wake_ms = due_ms

    async def next(self, last_ms: float) -> MachineEvent:
        """What happens next: something that came, or time running out, at the latest at `last_ms`."""
        while True:
            now = self._clock()
            if now >= last_ms:
                return DeadlineReached(now)
            if not self._events.empty():
                return self._events.get_nowait()
            if self._wake_ms is not None and now >= self._wake_ms:
                return TimerDue(now)
            until = last_ms if self._wake_ms is None else min(last_ms, self._wake_ms)
            try:
                async with within(until - now):
                    return await self._events.get()
            except TimeoutError:
                continue


@dataclass(slots=True)
class OutputBuffer:
    """Console lines and emitted values so far. The worker bounds them; a worker that got out of hand is bounded here.

    `log_bytes` and `emit_bytes` are what is left of each.
    """

    log_bytes: int
    emit_bytes: int
    logs: list[tuple[str, str]] = field(default_factory=list)
    emits: list[Any] = field(default_factory=list)

    def take(self, message: WorkerMessage, observer: Observer) -> None:
        """Keep what fits, and pass log lines on."""
        for level, text in message.logs:
            # 16 bytes stand for what a line costs beyond its text.
            self.log_bytes -= len(text) + 16
            if self.log_bytes < -4096:
                break
            self.logs.append((level, text))
            observer.log(level, text)
        for value in message.emits:
            self.emit_bytes -= size_of(value)
            if self.emit_bytes >= 0:
                self.emits.append(value)


def size_of(value: Any) -> int:
    """Roughly the bytes of an emitted value. Strings are nearly always the bulk of it."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + size_of(item) for item in value)
    return 8
