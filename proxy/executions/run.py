"""One execution: carries out what the machine commands, and tells the machine what happened.

Everything arrives in one bounded inbox; the machine is stepped by one task. The worker's answers and the inner calls
have a task each, all owned by the run's TaskGroup, so none of them outlives the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from proxy.calls import CallContext, Calls, Settlement
from proxy.executions.journal import StartRecord, encode
from proxy.executions.limits import ExecutionLimits
from proxy.executions.machine import IllegalEvent, MachineLimits, State, deadline, step
from proxy.executions.outcome import CallEntry, Observer
from proxy.executions.protocol import (
    Blocked,
    CancelRequested,
    Command,
    DeadlineReached,
    Deliver,
    Dispatch,
    Ended,
    Event,
    Finish,
    Finished,
    KillWorker,
    LostReason,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerLost,
    Write,
)
from proxy.principal import Principal
from proxy.sandbox import (
    Blocked as BlockedMessage,
)
from proxy.sandbox import (
    Delivery,
    Limits,
    PoolBusy,
    PoolUnavailable,
    StartMessage,
    ToolCall,
    Worker,
    WorkerGone,
    WorkerMessage,
)
from proxy.state import Owner
from proxy.state import State as Store
from proxy.telemetry import Log
from proxy.workspace import Generation

_log = Log("executions")
# The pool's own deadline is a second line of defence behind the machine's, so it lies a little later.
_POOL_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """What one run works with."""

    execution_id: str
    session_id: str | None
    principal: Principal
    generation: Generation
    start: StartRecord
    limits: ExecutionLimits
    machine: MachineLimits
    observer: Observer


@dataclass(slots=True)
class Heard:
    """What the code said so far. The worker bounds it; a worker that got out of hand is bounded here again."""

    log_bytes: int
    emit_bytes: int
    logs: list[tuple[str, str]] = field(default_factory=list)
    emits: list[Any] = field(default_factory=list)

    def take(self, message: WorkerMessage, size: Callable[[Any], int], observer: Observer) -> None:
        """Keep what fits, and pass log lines on."""
        for level, text in message.logs:
            # 16 bytes stand for what a line costs beyond its text.
            self.log_bytes -= len(text) + 16
            if self.log_bytes < -4096:
                break
            self.logs.append((level, text))
            observer.log(level, text)
        for value in message.emits:
            self.emit_bytes -= size(value)
            if self.emit_bytes >= 0:
                self.emits.append(value)


class Workers(Protocol):
    """Where workers come from: `proxy.sandbox.Pool`, or whatever picks the pool of the current config."""

    def worker(self, workspace_id: str, deadline_seconds: float) -> AbstractAsyncContextManager[Worker]:
        """Lease one; it is killed at the deadline. Raises `PoolBusy`, `PoolUnavailable`."""
        ...


class Run:
    """Drives one execution to its end. `drive` is called once."""

    def __init__(
        self, job: Job, pool: Workers, calls: Calls, store: Store, clock: Callable[[], float]
    ) -> None:
        self._job = job
        self._pool = pool
        self._calls = calls
        self._store = store
        self._clock = clock
        self._owner = Owner(job.principal.workspace_id, job.principal.account_id)
        self._state = State(job.machine)
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(job.machine.parallel + 8)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: float | None = None
        self._cancelled = False
        self._begun: dict[int, float] = {}
        self._entries: dict[int, CallEntry] = {}
        self.ended: Ended | None = None
        self.lost: str | None = None
        # A line may not be longer than what the worker is told, so twice that is never cut for an honest one.
        self.heard = Heard(job.limits.log_bytes * 2 + 65_536, job.limits.emit_bytes * 2)
        self.over = asyncio.Event()

    @property
    def calls_made(self) -> int:
        """How many inner calls were sent."""
        return len(self._begun)

    def entries(self) -> tuple[CallEntry, ...]:
        """The inner calls in the order in which the code made them, with those that were cut off or never sent."""
        assert self.ended is not None
        found = dict(self._entries)
        now = self._clock()
        for call in self.ended.unsettled:
            begun = self._begun.get(call.seq)
            code = "not_sent" if begun is None else "outcome_unknown"
            found[call.seq] = CallEntry(call.path, False, code, now - (begun or now))
        for call in self.ended.unsent:
            found[call.seq] = CallEntry(call.path, False, "not_sent", 0.0)
        return tuple(found[seq] for seq in sorted(found))

    def cancel(self, why: str) -> None:
        """Ask for the end; safe to repeat."""
        if not self._cancelled:
            self._cancelled = True
            self._inbox.put_nowait(CancelRequested(self._clock(), why))

    async def drive(self) -> Ended:
        """Run to the end. When this task is cancelled the worker and all calls are gone before it says so."""
        try:
            lifetime = self._job.machine.lifetime_ms / 1000 + _POOL_GRACE_SECONDS
            async with self._pool.worker(self._job.principal.workspace_id, lifetime) as worker:
                await self._drive(worker)
        except (PoolBusy, PoolUnavailable) as error:
            self._lose("unavailable", str(error))
        except asyncio.CancelledError:
            if self.ended is None:
                gone = CancelRequested(self._clock(), "The caller went away.")
                self._state, commands = step(self._state, gone)
                self._conclude(commands)
            raise
        finally:
            self.over.set()
        assert self.ended is not None
        return self.ended

    async def _drive(self, worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            await self._take(Started(self._clock(), self._job.start), worker, group)
            while self.ended is None:
                await self._take(await self._next(), worker, group)
            for task in self._tasks:
                task.cancel()

    # ---- events -------------------------------------------------------------------------------------------------
    async def _next(self) -> Event:
        """What happens next: something from the inbox, or time running out."""
        while True:
            now = self._clock()
            last = deadline(self._state)
            assert last is not None
            if now >= last:
                return DeadlineReached(now)
            if not self._inbox.empty():
                return self._inbox.get_nowait()
            if self._wake is not None and now >= self._wake:
                return TimerDue(now)
            until = last if self._wake is None else min(last, self._wake)
            try:
                async with asyncio.timeout((until - now) / 1000):
                    return await self._inbox.get()
            except TimeoutError:
                continue

    async def _take(self, event: Event, worker: Worker, group: asyncio.TaskGroup) -> None:
        try:
            self._state, commands = step(self._state, event)
        except IllegalEvent as error:
            # What the worker says may be nonsense; what we say may not.
            if not isinstance(event, Blocked | Finished):
                raise
            _log.warning("sandbox_protocol", execution=self._job.execution_id, error=str(error))
            event = WorkerLost(event.at, "protocol", "")
            self._state, commands = step(self._state, event)
        if isinstance(event, WorkerLost):
            self.lost = event.reason
        self._conclude(commands)
        await self._carry_out(commands, worker, group)

    def _lose(self, reason: LostReason, detail: str) -> None:
        self.lost = reason
        self._state, commands = step(self._state, WorkerLost(self._clock(), reason, detail))
        self._conclude(commands)

    def _conclude(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            if isinstance(command, Finish):
                self.ended = command.ended

    # ---- commands -----------------------------------------------------------------------------------------------
    async def _carry_out(
        self, commands: tuple[Command, ...], worker: Worker, group: asyncio.TaskGroup
    ) -> None:
        records: list[bytes] = []
        for command in commands:
            if isinstance(command, Write):
                records.append(encode(command.record))
                continue
            if records and not await self._stored(records, worker):
                return
            records = []
            self._do(command, worker, group)
        if records:
            await self._stored(records, worker)

    def _do(self, command: Command, worker: Worker, group: asyncio.TaskGroup) -> None:
        match command:
            case StartWorker():
                self._own(group, self._exchange(worker, None))
            case Deliver(events):
                self._wake = None
                self._own(group, self._exchange(worker, list(events)))
            case Dispatch(call):
                self._own(group, self._call(call))
            case WaitTimer(at):
                self._wake = at
            case KillWorker():
                worker.kill()
            case Finish():
                pass  # noted in `_conclude`, before anything was waited for

    def _own(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stored(self, records: list[bytes], worker: Worker) -> bool:
        """Whether the store took them. If not the execution ends: nothing may happen that is not on record."""
        try:
            await self._store.append_journal(self._job.execution_id, self._owner, records)
        # A boundary: whatever store is configured fails in its own way, and none of them may take others down.
        except Exception as error:
            _log.exception("journal_failed", error, execution=self._job.execution_id)
            if self.ended is None:
                worker.kill()
                self._lose("store", "")
            return False
        return True

    def _start_message(self) -> StartMessage:
        start = self._job.start
        # The machine keeps the limit of parallel calls; the worker shows every call at once, so that calls which
        # are never awaited are known too.
        limits = Limits(
            calls=start.calls,
            parallel=start.calls,
            log_bytes=start.log_bytes,
            emit_bytes=start.emit_bytes,
            argument_bytes=start.argument_bytes,
            result_bytes=start.result_bytes,
        )
        return StartMessage(start.code, start.seed, start.now, limits)

    # ---- tasks --------------------------------------------------------------------------------------------------
    async def _exchange(self, worker: Worker, deliveries: list[Delivery] | None) -> None:
        """Say one thing, the start or these deliveries, and hear the answer."""
        try:
            if deliveries is None:
                await worker.start(self._start_message())
            else:
                await worker.deliver(deliveries)
            message = await worker.receive()
        except WorkerGone as gone:
            self._inbox.put_nowait(WorkerLost(self._clock(), gone.reason, gone.detail))
            return
        self.heard.take(message, _size, self._job.observer)
        now = self._clock()
        if isinstance(message, BlockedMessage):
            self._inbox.put_nowait(Blocked(now, message.calls, message.wake))
        else:
            self._inbox.put_nowait(Finished(now, message))

    async def _call(self, call: ToolCall) -> None:
        job = self._job
        begun = self._begun[call.seq] = self._clock()
        job.observer.call_started(call.seq, call.path)
        context = CallContext(job.execution_id, job.session_id, call.seq)
        settlement = await self._calls.settle(job.generation, job.principal, call.path, call.args, context)
        self._settle(call, settlement, begun)

    def _settle(self, call: ToolCall, settlement: Settlement, begun: float) -> None:
        now = self._clock()
        entry = CallEntry(call.path, settlement.ok, settlement.code, now - begun)
        self._entries[call.seq] = entry
        self._job.observer.call_finished(call.seq, call.path, entry.ok, entry.code, entry.ms)
        self._inbox.put_nowait(Settled(now, call.seq, settlement.body))


def _size(value: Any) -> int:
    """Roughly the bytes of an emitted value. Strings are nearly always the bulk of it."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + _size(item) for item in value)
    return 8
