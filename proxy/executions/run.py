"""One execution: carries out what the machine commands, and tells the machine what happened.

Everything arrives in one bounded inbox; the machine is stepped by one task. The worker's answers and the inner calls
have a task each, all owned by the run's TaskGroup, so none of them outlives the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from proxy.calls import Calls
from proxy.executions.calling import Calling
from proxy.executions.claim import Claim
from proxy.executions.clock import not_before
from proxy.executions.entries import Entries
from proxy.executions.heard import Heard
from proxy.executions.inbox import Inbox
from proxy.executions.job import Job, Workers, first_event, start_message
from proxy.executions.journal import SettleRecord
from proxy.executions.judging import Judging
from proxy.executions.machine import IllegalEvent, State, deadline, step
from proxy.executions.outcome import SILENT, CallEntry
from proxy.executions.parking import Parking
from proxy.executions.protocol import (
    Answer,
    Blocked,
    CancelRequested,
    Command,
    Deliver,
    Dispatch,
    Ended,
    Event,
    Finish,
    Finished,
    HandOver,
    HandOverRequested,
    Judge,
    Judged,
    Judgement,
    KillWorker,
    LostReason,
    Pause,
    Rejoin,
    StartWorker,
    WaitTimer,
    WorkerLost,
    Write,
)
from proxy.sandbox import Blocked as BlockedMessage
from proxy.sandbox import Delivery, PoolBusy, PoolUnavailable, Worker, WorkerGone
from proxy.state import LeaseLost, Owner, StateUnavailable
from proxy.telemetry import Logger

_log = Logger("executions")
# The pool's own deadline is a second line of defence behind the machine's, so it lies a little later.
_POOL_GRACE_SECONDS = 10.0
_AWAY: Final = "the state store does not answer; try again shortly"
NOT_KEPT: Final = "The record of this execution could not be kept, so it was stopped."


class Run:
    """Drives one execution to its end. `drive` is called once."""

    def __init__(
        self,
        job: Job,
        pool: Workers,
        calls: Calls,
        claim: Claim,
        clock: Callable[[], float],
        parking: Parking,
    ) -> None:
        self._job = job
        self._pool = pool
        self._calls = calls
        self._claim = claim
        self._clock = clock if job.past is None else not_before(clock, job.past.clock)
        self._judging = Judging(job, calls)
        self._entries = Entries(job.past)
        self._state = State(job.machine)
        self._inbox = Inbox(job.machine.parallel + 8, self._clock)
        self._calling = Calling(
            job, calls, parking, self._judging, self._entries, self._clock, self._inbox.put
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled = self._leaving = False
        self.ended: Ended | None = None
        self.paused: Pause | HandOver | None = None
        self.lost: str | None = None
        # Calls of it are under way still, although it has paused.
        self.parked = False
        # A line may not be longer than what the worker is told, so twice that is never cut for an honest one.
        self.heard = Heard(job.limits.log_bytes * 2 + 65_536, job.limits.emit_bytes * 2)
        # Set by whoever drives, when everything about this run is in the store.
        self.over = asyncio.Event()

    @property
    def owner(self) -> Owner:
        """Whose execution it is."""
        return self._claim.record.owner

    def entries(self) -> tuple[CallEntry, ...]:
        """The inner calls so far."""
        return self._entries.listed(self.ended or self.paused, self._clock())

    def hand_over(self) -> None:
        """Ask to leave the rest to another process; safe to repeat."""
        if not self._leaving:
            self._leaving = True
            self._inbox.put(HandOverRequested(self._clock()))

    def cancel(self, why: str) -> None:
        """Ask for the end; safe to repeat."""
        if not self._cancelled:
            self._cancelled = True
            self._inbox.put(CancelRequested(self._clock(), why))

    @property
    def over_now(self) -> bool:
        """Whether it has ended or paused."""
        return self.ended is not None or self.paused is not None

    async def drive(self) -> Ended | Pause | HandOver:
        """Run to the end, to the next pause, or to where another process goes on.

        When this task is cancelled nothing is left when it says so.
        """
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
        ended = self.ended or self.paused
        assert ended is not None
        return ended

    async def _drive(self, worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            self._own(group, self._kept())
            await self._take(first_event(self._job, self._clock()), worker, group)
            while not self.over_now:
                last = deadline(self._state)
                assert last is not None
                await self._take(await self._inbox.next(last), worker, group)
            for task in self._tasks:
                task.cancel()

    async def _kept(self) -> None:
        """Returns never while the execution is ours."""
        await self._claim.keep()
        self._inbox.put(WorkerLost(self._clock(), "store", "another process has taken it over"))

    # ---- events -------------------------------------------------------------------------------------------------
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
            elif isinstance(command, Pause | HandOver):
                self.paused = command

    def _judge(self, judgement: Judgement) -> Answer:
        answer, refused = self._judging.answer(judgement)
        if refused is not None:
            self._job.observer.call_started(judgement.call.seq, judgement.call.path)
            self._calling.settle(judgement.call, refused)
        return answer

    # ---- commands -----------------------------------------------------------------------------------------------
    async def _carry_out(
        self, commands: tuple[Command, ...], worker: Worker, group: asyncio.TaskGroup
    ) -> None:
        writes: list[Write] = []
        for command in commands:
            if isinstance(command, Write):
                writes.append(command)
                if isinstance(command.record, SettleRecord):
                    self._entries.decide(command.record)
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
                self._inbox.wake = None
                self._own(group, self._exchange(worker, list(events)))
            case Dispatch(call):
                self._own(group, self._calling.send(call))
            case Rejoin(call):
                self._own(group, self._calling.rejoin(call))
            case WaitTimer(at):
                self._inbox.wake = at
            case KillWorker():
                self._inbox.wake = None
                worker.kill()
            case _:
                pass  # ends are noted in `_conclude`, before anything was waited for

    def _own(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stored(self, writes: list[Write], worker: Worker) -> bool:
        """Whether the store took them. If not the execution ends: nothing may happen that is not on record."""
        try:
            await self._claim.write(writes, guarded=any(self._judging.guards(one) for one in writes))
            return True
        except LeaseLost:
            why = "another process has taken it over"
        except StateUnavailable:
            # The store tells of that itself, once and not for every execution.
            why = _AWAY
        # A boundary: whatever store is configured fails in its own way, and none of them may take others down.
        except Exception as error:
            _log.exception("journal_failed", error, execution=self._job.execution_id)
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
        try:
            if deliveries is None:
                await worker.start(start_message(self._job.start))
            else:
                await worker.deliver(deliveries)
            message = await worker.receive()
        except WorkerGone as gone:
            self._inbox.put(WorkerLost(self._clock(), gone.reason, gone.detail))
            return
        # What was logged before the pause was told then.
        observer = SILENT if self._state.phase == "replaying" else self._job.observer
        self.heard.take(message, observer)
        now = self._clock()
        if isinstance(message, BlockedMessage):
            self._inbox.put(Blocked(now, message.calls, message.wake))
        else:
            self._inbox.put(Finished(now, message))
