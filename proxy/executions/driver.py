"""`Driver`: from a request, or from a journal, to the next result: an end or a pause.

Raises nothing for what agent code, workers or upstreams do.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import Final

from proxy.executions.context import (
    Continuation,
    Environment,
    NewExecution,
    RunContext,
    first_run,
    next_run,
)
from proxy.executions.finish import RUNS_KEPT, Finisher, ended_with, stopped
from proxy.executions.inner_calls import lost_run
from proxy.executions.lease import LEASE_SECONDS, ExecutionLease, tell, topic
from proxy.executions.machine.events import HandOver, Pause
from proxy.executions.machine.journal import CorruptJournal, decode, past_of
from proxy.executions.open_calls import OpenCalls
from proxy.executions.questions import by_call, chosen, resolutions_for
from proxy.executions.records import body_of, by_person, is_due, running_record
from proxy.executions.result import ExecutionResult, Observer, unavailable
from proxy.executions.run import Run
from proxy.live import NotServing
from proxy.state import Conflict, ExecutionRecord, Lease, State, StateUnavailable
from proxy.telemetry import Logger
from proxy.telemetry.spans import AttributeValue

_log = Logger("executions")
_MAX_ATTEMPTS: Final = 3
_REVOKED: Final = "The account that ran this is not admitted any more, so nothing further was sent."


class Driver:
    """Runs executions of this process, from their start or from their journal, to the next result.

    Each run has one task: the caller's for a new execution, one owned by this object for a continued one, because its
    result belongs to everybody who waits for it.
    """

    def __init__(self, environment: Environment, finisher: Finisher, open_calls: OpenCalls) -> None:
        self._environment = environment
        self._store = environment.store
        self._clock = environment.clock
        self._finisher = finisher
        self._open_calls = open_calls
        self._continued: dict[str, asyncio.Task[ExecutionResult]] = {}
        self._tasks: set[asyncio.Task[ExecutionResult]] = set()
        self.running: dict[str, Run] = {}
        self.begun = 0
        self.leaving = False

    def leave(self) -> None:
        """Begin and continue nothing any more."""
        self.leaving = True

    # ---- new executions -----------------------------------------------------------------------------------------
    async def begin(self, new: NewExecution) -> ExecutionResult:
        """Run the code on the generation that is current now. Raises `NotServing`."""
        with self._environment.live.lease() as generation:
            if self.leaving:
                raise NotServing("this server is shutting down")
            if generation.workspace(new.principal.workspace_id) is None:
                raise NotServing("this workspace is no longer configured")
            limits = self._environment.limits(generation.config)
            return await self._run(first_run(new, generation, limits, self._store, self._clock()))

    # ---- continued ones -----------------------------------------------------------------------------------------
    async def drive(self, record: ExecutionRecord, observer: Observer) -> ExecutionResult | None:
        """Drive it to its next result; callers of this process share one run. None: another process drives it."""
        task = await self.start(record, observer)
        return await asyncio.shield(task) if task is not None else None

    async def start(
        self, record: ExecutionRecord, observer: Observer
    ) -> asyncio.Task[ExecutionResult] | None:
        """The same without waiting for the result."""
        task = self._continued.get(record.execution_id)
        if task is None and self.leaving:
            return None
        if task is None:
            lease = await self._lease_on(record)
            task = self._continued.get(record.execution_id)
            if task is None:
                if lease is None:
                    return None
                task = asyncio.ensure_future(self._continue(record, lease, observer))  # noqa: TID251 - owned here
                self._continued[record.execution_id] = task
                self._tasks.add(task)
                task.add_done_callback(self._stopped)
        return task

    async def _lease_on(self, record: ExecutionRecord) -> Lease | None:
        """The lease kept for its open calls, else a new one. None: another process holds it."""
        lease = self._open_calls.take(record.execution_id)
        if lease is not None:
            return lease
        return await self._store.acquire_lease(record.execution_id, secrets.token_hex(8), LEASE_SECONDS)

    def _stopped(self, task: asyncio.Task[ExecutionResult]) -> None:
        """Callers that wait get the error too, but there may be none, so it is logged here."""
        self._tasks.discard(task)
        # A task that was cancelled before it began has not removed itself.
        self._continued = {name: one for name, one in self._continued.items() if one is not task}
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StateUnavailable):
            _log.error("execution_not_continued", error=f"{type(error).__name__}: {error}")

    async def _continue(self, record: ExecutionRecord, held: Lease, observer: Observer) -> ExecutionResult:
        lease = ExecutionLease(self._store, record, held)
        try:
            return await self._from_journal(lease, observer)
        finally:
            # A decision from now on needs a run of its own.
            self._continued.pop(record.execution_id, None)
            await lease.release()
            await tell(self._store, topic(record.execution_id))

    async def _from_journal(self, lease: ExecutionLease, observer: Observer) -> ExecutionResult:
        execution_id = lease.record.execution_id
        found = await opened(self._store, lease, self._clock())
        if isinstance(found, CannotContinue):
            await self._open_calls.drop(execution_id)
            return found.result if found.stored else await self._ended(lease, found.result)
        with self._environment.live.lease() as generation:
            if generation.workspace(lease.record.owner.workspace_id) is None:
                why = "This workspace is no longer configured."
                return await self._not_continued(lease, "NotServing", why)
            principal = self._environment.refresh_principal(body_of(lease.record).who())
            if principal is None:
                return await self._not_continued(lease, "AccessRevokedError", _REVOKED)
            limits = self._environment.limits(generation.config)
            continued = replace(found, alive=self._open_calls.alive(execution_id))
            return await self._run(next_run(lease, continued, principal, generation, limits, observer))

    async def _not_continued(self, lease: ExecutionLease, name: str, why: str) -> ExecutionResult:
        await self._open_calls.drop(lease.record.execution_id)
        return await self._ended(lease, stopped(lease.record, name, why))

    async def _ended(self, lease: ExecutionLease, result: ExecutionResult) -> ExecutionResult:
        return await self._finisher.settle(lease, body_of(lease.record), result)

    # ---- both ---------------------------------------------------------------------------------------------------
    async def _run(self, context: RunContext) -> ExecutionResult:
        attributes: dict[str, AttributeValue] = {
            "executor.execution.id": context.execution_id,
            "executor.workspace.id": context.principal.workspace_id,
            "executor.replayed": context.continued is not None,
        }
        with self._environment.spans.span("execution", attributes=attributes) as span:
            result = await self._driven(context)
            span.note("executor.status", result.status)
            if result.error is not None and result.is_error:
                span.fail(result.error.name)
        return result

    async def _driven(self, context: RunContext) -> ExecutionResult:
        began_ms = self._clock()
        self._finisher.begin(context)
        self.begun += 1
        run = self.running[context.execution_id] = Run(context, self._environment, self._open_calls)
        try:
            return await self._concluded(context, run, began_ms)
        finally:
            del self.running[context.execution_id]
            if not run.parked:
                await self._open_calls.drop(context.execution_id)
            run.over.set()

    async def _concluded(self, context: RunContext, run: Run, began_ms: float) -> ExecutionResult:
        try:
            ended = await run.drive()
        except asyncio.CancelledError:
            await self._finisher.cut_off(context.with_time(self._clock() - began_ms), run)
            raise
        context = context.with_time(self._clock() - began_ms)
        if isinstance(ended, Pause):
            return await self._finisher.pause(context, run, ended)
        if isinstance(ended, HandOver):
            return await self._finisher.hand_over(context, run)
        result = await ended_with(context, run, ended, self._store)
        return await self._finisher.finish(context, run, result, keep_journal=run.lost == "store")

    # ---- the end ------------------------------------------------------------------------------------------------
    async def close(self, record: ExecutionRecord, result: ExecutionResult) -> bool:
        """End an execution that nobody drives; False when somebody does, or did in the meantime."""
        held = await self._lease_on(record)
        if held is None:
            return False
        lease = ExecutionLease(self._store, record, held)
        try:
            await self._ended(lease, result)
            await lease.forget()
        except Conflict:
            return False
        finally:
            await lease.release()
            await self._open_calls.drop(record.execution_id)
            await tell(self._store, topic(record.execution_id))
        return True

    async def cancel_continued(self, seconds: float) -> None:
        """Stop driving what is not over after `seconds`."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._open_calls.close()


# ---- a stored execution, read for continuing it --------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CannotContinue:
    """It has ended. `stored`: the store knows the result already, or has no place for it."""

    result: ExecutionResult
    stored: bool = False


async def opened(store: State, lease: ExecutionLease, now_ms: float) -> Continuation | CannotContinue:
    """Read the leased execution again, as it is now, and mark it as running."""
    record = lease.record
    found = await store.find_execution(record.execution_id, record.owner.workspace_id)
    if found is None:
        return CannotContinue(
            unavailable("execution_not_found", record.execution_id, record.owner), stored=True
        )
    record = found
    lease.found(record)
    body = body_of(record)
    if record.status == "settled":
        return CannotContinue(body.outcome(), stored=True)
    if is_due(record, now_ms):
        return CannotContinue(unavailable("execution_expired", record.execution_id, record.owner))
    crashed = record.status == "running" and not body.handed_over
    if crashed and body.attempts >= _MAX_ATTEMPTS:
        why = "The server stopped each time it went on with this execution."
        return CannotContinue(stopped(record, "SandboxError", why))
    try:
        past = past_of([decode(line) for line in await store.read_journal(record.execution_id, record.owner)])
    except CorruptJournal as why:
        message = f"The journal of this execution cannot be read: {why}."
        return CannotContinue(stopped(record, "StateError", message))
    decisions = {one.interaction_id: one for one in await store.decisions(record.execution_id, record.owner)}
    lease.decided(decisions)
    resolutions = resolutions_for(body.asked(), decisions, now_ms)
    decided = {**body.decided, **chosen(resolutions, decisions)}
    people = {
        *body.by_person,
        *(name for name in resolutions if name in decisions and by_person(decisions[name])),
    }
    runs = body.runs
    if crashed:
        runs = (*runs, lost_run(past, float(runs[-1]["ended"]) if runs else 0.0))[-RUNS_KEPT:]
    body = replace(
        body,
        runs=runs,
        attempts=body.attempts + crashed,
        decided=decided,
        by_person=tuple(sorted(people)),
        handed_over=False,
    )
    await lease.save(running_record(record, body))
    return Continuation(past, by_call(resolutions, body.asked()))
