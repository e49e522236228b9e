"""One execution: carries out what the machine commands, and tells the machine what happened.

Everything arrives in one bounded inbox; the machine is stepped by one task. The worker's answers and the inner calls
have a task each, all owned by the run's TaskGroup, so none of them outlives the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from proxy.calls import Approval, Asking, CallContext, Calls, Ready, Settlement
from proxy.executions.claim import Claim
from proxy.executions.journal import DispatchRecord, HoldRecord, PauseRecord, SettleRecord, StartRecord
from proxy.executions.limits import ExecutionLimits
from proxy.executions.machine import IllegalEvent, MachineLimits, State, deadline, step
from proxy.executions.outcome import SILENT, CallEntry, Observer
from proxy.executions.past import Past
from proxy.executions.protocol import (
    Answer,
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
    Given,
    Hold,
    Judge,
    Judged,
    Judgement,
    KillWorker,
    LostReason,
    Pause,
    Refuse,
    Resumed,
    Send,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerLost,
    Write,
)
from proxy.executions.questions import approval_ask, lost_ask
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
from proxy.state import LeaseLost, Owner
from proxy.telemetry import Log
from proxy.workspace import Generation

_log = Log("executions")
# The pool's own deadline is a second line of defence behind the machine's, so it lies a little later.
_POOL_GRACE_SECONDS = 10.0
_NOT_KEPT = "The record of this execution could not be kept, so it was stopped."


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
    past: Past | None = None
    given: Mapping[int, Given] = field(default_factory=dict)


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
        self, job: Job, pool: Workers, calls: Calls, claim: Claim, clock: Callable[[], float]
    ) -> None:
        self._job = job
        self._pool = pool
        self._calls = calls
        self._claim = claim
        self._clock = clock
        self._ready: dict[int, Ready] = {}
        self._guarded: set[int] = set()
        self._state = State(job.machine)
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(job.machine.parallel + 8)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: float | None = None
        self._cancelled = False
        self._begun: dict[int, float] = {}
        self._entries: dict[int, CallEntry] = {}
        self.ended: Ended | None = None
        self.paused: Pause | None = None
        self.lost: str | None = None
        # A line may not be longer than what the worker is told, so twice that is never cut for an honest one.
        self.heard = Heard(job.limits.log_bytes * 2 + 65_536, job.limits.emit_bytes * 2)
        self.over = asyncio.Event()

    @property
    def owner(self) -> Owner:
        """Whose execution it is."""
        return self._claim.record.owner

    @property
    def calls_made(self) -> int:
        """How many inner calls were sent."""
        return len(self._begun)

    def entries(self) -> tuple[CallEntry, ...]:
        """The inner calls in the order in which the code made them, with those that were cut off or never sent."""
        found = earlier(self._job.past) | self._entries
        now = self._clock()
        for call in self.ended.unsettled if self.ended is not None else ():
            begun = self._begun.get(call.seq)
            code = "not_sent" if begun is None else "outcome_unknown"
            found[call.seq] = CallEntry(call.path, False, code, now - (begun or now))
        for call in self.ended.unsent if self.ended is not None else ():
            was_sent = self._job.past is not None and isinstance(
                self._job.past.last.get(call.seq), DispatchRecord
            )
            found[call.seq] = CallEntry(call.path, False, "outcome_unknown" if was_sent else "not_sent", 0.0)
        for held in self.paused.held if self.paused is not None else ():
            found[held.call.seq] = CallEntry(held.call.path, False, "approval_required", 0.0)
        return tuple(found[seq] for seq in sorted(found))

    def cancel(self, why: str) -> None:
        """Ask for the end; safe to repeat."""
        if not self._cancelled:
            self._cancelled = True
            self._inbox.put_nowait(CancelRequested(self._clock(), why))

    @property
    def over_now(self) -> bool:
        return self.ended is not None or self.paused is not None

    async def drive(self) -> Ended | Pause:
        """Run to the end or to the next pause. When this task is cancelled nothing is left when it says so."""
        try:
            lifetime = self._job.machine.lifetime_ms / 1000 + _POOL_GRACE_SECONDS
            async with self._pool.worker(self._job.principal.workspace_id, lifetime) as worker:
                await self._drive(worker)
        except (PoolBusy, PoolUnavailable) as error:
            self._lose("unavailable", str(error))
        except asyncio.CancelledError:
            if not self.over_now:
                gone = CancelRequested(self._clock(), "The caller went away.")
                self._state, commands = step(self._state, gone)
                self._conclude(commands)
            raise
        finally:
            self.over.set()
        ended = self.ended or self.paused
        assert ended is not None
        return ended

    async def _drive(self, worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            self._own(group, self._kept())
            await self._take(self._first(), worker, group)
            while not self.over_now:
                await self._take(await self._next(), worker, group)
            for task in self._tasks:
                task.cancel()

    def _first(self) -> Event:
        job = self._job
        if job.past is None:
            return Started(self._clock(), job.start)
        return Resumed(self._clock(), job.past, job.given)

    async def _kept(self) -> None:
        """Returns never while the execution is ours."""
        await self._claim.keep()
        self._inbox.put_nowait(WorkerLost(self._clock(), "store", "another process has taken it over"))

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
        while asked := next((one for one in commands if isinstance(one, Judge)), None):
            answers = tuple((one.call.seq, self._judge(one)) for one in asked.calls)
            self._state, more = step(self._state, Judged(event.at, answers))
            commands = (*(one for one in commands if one is not asked), *more)
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
            elif isinstance(command, Pause):
                self.paused = command

    def _judge(self, judgement: Judgement) -> Answer:
        """What may happen to a call now. The only place where a question is made."""
        job, call = self._job, judgement.call
        if judgement.lost:
            return Hold(lost_ask(call, judgement.ask))
        approval = None
        if judgement.ask is not None:
            ask = judgement.ask
            approval = Approval(tuple(ask["binding"]), ask.get("expires", 0.0), judgement.again)
        context = CallContext(job.execution_id, job.session_id, call.seq)
        verdict = self._calls.judge(job.generation, job.principal, call.path, call.args, context, approval)
        if isinstance(verdict, Ready):
            self._ready[call.seq] = verdict
            if not verdict.repeatable:
                self._guarded.add(call.seq)
            return Send(verdict.repeatable)
        if isinstance(verdict, Asking):
            return Hold(approval_ask(verdict))
        self._job.observer.call_started(call.seq, call.path)
        self._note(call, verdict, self._clock())
        return Refuse(verdict.body)

    # ---- commands -----------------------------------------------------------------------------------------------
    async def _carry_out(
        self, commands: tuple[Command, ...], worker: Worker, group: asyncio.TaskGroup
    ) -> None:
        writes: list[Write] = []
        for command in commands:
            if isinstance(command, Write):
                writes.append(command)
                self._note_unsent(command)
                continue
            if writes and not await self._stored(writes, worker):
                return
            writes = []
            self._do(command, worker, group)
        if writes:
            await self._stored(writes, worker)

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
            case Pause() | Finish() | Judge():
                pass  # noted in `_conclude`, before anything was waited for

    def _own(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note_unsent(self, write: Write) -> None:
        """A call that was decided against has its place in the list of calls too."""
        record, past = write.record, self._job.past
        if not isinstance(record, SettleRecord) or record.seq in self._entries or past is None:
            return
        known = past.last.get(record.seq)
        if known is not None:
            code = _code_of(record.outcome)
            self._entries[record.seq] = CallEntry(known.path, code is None, code, 0.0)

    async def _stored(self, writes: list[Write], worker: Worker) -> bool:
        """Whether the store took them. If not the execution ends: nothing may happen that is not on record."""
        try:
            await self._claim.write(writes, guarded=any(self._is_guarded(one) for one in writes))
        except LeaseLost:
            self._abandon(worker, "another process has taken it over")
            return False
        # A boundary: whatever store is configured fails in its own way, and none of them may take others down.
        except Exception as error:
            _log.exception("journal_failed", error, execution=self._job.execution_id)
            self._abandon(worker, "")
            return False
        return True

    def _is_guarded(self, write: Write) -> bool:
        """Whether losing this record could make something happen twice, or never be asked."""
        record = write.record
        if isinstance(record, DispatchRecord | SettleRecord):
            return record.seq in self._guarded
        return isinstance(record, HoldRecord | PauseRecord)

    def _abandon(self, worker: Worker, detail: str) -> None:
        worker.kill()
        if self.paused is not None:
            self.paused = None
            self.lost = "store"
            self.ended = Ended("failed", name="StateError", message=_NOT_KEPT)
        elif self.ended is None:
            self._lose("store", detail)

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
        # What was logged before the pause was told then.
        observer = SILENT if self._state.phase == "replaying" else self._job.observer
        self.heard.take(message, _size, observer)
        now = self._clock()
        if isinstance(message, BlockedMessage):
            self._inbox.put_nowait(Blocked(now, message.calls, message.wake))
        else:
            self._inbox.put_nowait(Finished(now, message))

    async def _call(self, call: ToolCall) -> None:
        job = self._job
        begun = self._begun[call.seq] = self._clock()
        job.observer.call_started(call.seq, call.path)
        settlement = await self._calls.send(self._ready.pop(call.seq))
        self._note(call, settlement, begun)
        self._inbox.put_nowait(Settled(self._clock(), call.seq, settlement.body))

    def _note(self, call: ToolCall, settlement: Settlement, begun: float) -> None:
        entry = CallEntry(call.path, settlement.ok, settlement.code, self._clock() - begun)
        self._entries[call.seq] = entry
        self._job.observer.call_finished(call.seq, call.path, entry.ok, entry.code, entry.ms)


def earlier(past: Past | None) -> dict[int, CallEntry]:
    """The calls that settled before the pause."""
    found: dict[int, CallEntry] = {}
    for seq, settled in past.outcomes.items() if past is not None else ():
        sent = past.last.get(seq) if past is not None else None
        began = past.sent[seq].clock if past is not None and seq in past.sent else settled.clock
        code = _code_of(settled.outcome)
        path = sent.path if sent is not None else "(not sent)"
        found[seq] = CallEntry(path, code is None, code, max(0.0, settled.clock - began))
    return found


def _code_of(outcome: bytes) -> str | None:
    body = orjson.loads(outcome)
    if not isinstance(body, dict):
        return None
    if "throw" in body:
        declined = body["throw"]["name"] == "ToolApprovalDeclinedError"
        return "approval_declined" if declined else "internal_error"
    return str(body["error"]["code"]) if body.get("ok") is False else None


def _size(value: Any) -> int:
    """Roughly the bytes of an emitted value. Strings are nearly always the bulk of it."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + _size(item) for item in value)
    return 8
