"""`Driver`: from a request, or from a journal, to the next result: an end or a pause.

Raises nothing for what agent code, workers or upstreams do.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.calls import Calls
from proxy.config import Config
from proxy.executions.answers import ended_with, stopped
from proxy.executions.claim import LEASE_SECONDS, Claim
from proxy.executions.closing import Closing
from proxy.executions.continuation import Over, opened
from proxy.executions.job import Workers
from proxy.executions.limits import ExecutionLimits
from proxy.executions.outcome import ExecutionResult, Observer
from proxy.executions.parking import Parking
from proxy.executions.protocol import HandOver, Pause
from proxy.executions.records import body_of
from proxy.executions.run import Run
from proxy.executions.stretch import Asked, Stretch, first_stretch, next_stretch
from proxy.executions.topics import tell, topic
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.state import Conflict, ExecutionRecord, Lease, State, StateUnavailable
from proxy.telemetry import Logger
from proxy.telemetry.spans import AttributeValue, Spans

_log = Logger("executions")
_REVOKED: Final = "The account that ran this is not admitted any more, so nothing further was sent."
Still = Callable[[Principal], Principal | None]
"""A caller as it is now, with the groups of the current config; None when it is not admitted any more."""


class Driver:
    """Runs executions of this process, from their start or from their journal, to the next result.

    Each run has one task: the caller's for a new execution, one owned by this object for a continued one, because its
    result belongs to everybody who waits for it.
    """

    def __init__(
        self,
        pool: Workers,
        calls: Calls,
        live: Live,
        state: State,
        limits: Callable[[Config], ExecutionLimits],
        clock: Callable[[], float],
        closing: Closing,
        spans: Spans,
        parking: Parking,
        still: Still,
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._live = live
        self._state = state
        self._limits = limits
        self._clock = clock
        self._closing = closing
        self._spans = spans
        self._parking = parking
        self._still = still
        self._continued: dict[str, asyncio.Task[ExecutionResult]] = {}
        self._tasks: set[asyncio.Task[ExecutionResult]] = set()
        self.running: dict[str, Run] = {}
        self.leaving = False

    # ---- new executions -----------------------------------------------------------------------------------------
    async def begin(self, asked: Asked) -> ExecutionResult:
        """Run the code on the generation that is current now. Raises `NotServing`."""
        with self._live.lease() as generation:
            if self.leaving:
                raise NotServing("this server is shutting down")
            if generation.workspace(asked.principal.workspace_id) is None:
                raise NotServing("this workspace is no longer configured")
            limits = self._limits(generation.config)
            return await self._run(first_stretch(asked, generation, limits, self._state, self._clock()))

    # ---- continued ones -----------------------------------------------------------------------------------------
    async def go_on(self, record: ExecutionRecord, observer: Observer) -> ExecutionResult | None:
        """Drive it to its next result, together with everybody here who wants the same. None: another process does."""
        task = await self.start(record, observer)
        return await asyncio.shield(task) if task is not None else None

    async def start(
        self, record: ExecutionRecord, observer: Observer
    ) -> asyncio.Task[ExecutionResult] | None:
        """The same without waiting for it."""
        task = self._continued.get(record.execution_id)
        if task is None and self.leaving:
            return None
        if task is None:
            lease = await self._right_to(record)
            task = self._continued.get(record.execution_id)
            if task is None:
                if lease is None:
                    return None
                task = asyncio.ensure_future(self._continue(record, lease, observer))  # noqa: TID251 - owned here
                self._continued[record.execution_id] = task
                self._tasks.add(task)
                task.add_done_callback(self._stopped)
        return task

    async def _right_to(self, record: ExecutionRecord) -> Lease | None:
        """To drive it: ours already while it waits here, else ours if nobody has it."""
        lease = self._parking.take(record.execution_id)
        if lease is not None:
            return lease
        return await self._state.acquire_lease(record.execution_id, secrets.token_hex(8), LEASE_SECONDS)

    def _stopped(self, task: asyncio.Task[ExecutionResult]) -> None:
        """Who waits for it gets the error too; but perhaps nobody waits."""
        self._tasks.discard(task)
        # One that was cancelled before it began has not done that itself.
        self._continued = {name: one for name, one in self._continued.items() if one is not task}
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StateUnavailable):
            _log.error("execution_not_continued", error=f"{type(error).__name__}: {error}")

    async def _continue(self, record: ExecutionRecord, lease: Lease, observer: Observer) -> ExecutionResult:
        claim = Claim(self._state, record, lease)
        try:
            return await self._from_journal(claim, observer)
        finally:
            # What is decided from now on needs a run of its own.
            self._continued.pop(record.execution_id, None)
            await claim.release()
            await tell(self._state, topic(record.execution_id))

    async def _from_journal(self, claim: Claim, observer: Observer) -> ExecutionResult:
        found = await opened(self._state, claim, self._clock())
        if isinstance(found, Over):
            await self._parking.drop(claim.record.execution_id)
            return found.result if found.stored else await self._ended(claim, found.result)
        with self._live.lease() as generation:
            if generation.workspace(claim.record.owner.workspace_id) is None:
                await self._parking.drop(claim.record.execution_id)
                why = "This workspace is no longer configured."
                return await self._ended(claim, stopped(claim.record, "NotServing", why))
            principal = self._still(body_of(claim.record).who())
            if principal is None:
                await self._parking.drop(claim.record.execution_id)
                return await self._ended(claim, stopped(claim.record, "AccessRevokedError", _REVOKED))
            limits = self._limits(generation.config)
            alive = self._parking.alive(claim.record.execution_id)
            return await self._run(
                next_stretch(claim, found.past, found.given, principal, generation, limits, observer, alive)
            )

    async def _ended(self, claim: Claim, result: ExecutionResult) -> ExecutionResult:
        return await self._closing.settle(claim, body_of(claim.record), result)

    # ---- both ---------------------------------------------------------------------------------------------------
    async def _run(self, stretch: Stretch) -> ExecutionResult:
        job = stretch.job
        attributes: dict[str, AttributeValue] = {
            "executor.execution.id": job.execution_id,
            "executor.workspace.id": job.principal.workspace_id,
            "executor.replayed": job.past is not None,
        }
        with self._spans.span("execution", attributes=attributes) as span:
            result = await self._driven(stretch)
            span.note("executor.status", result.status)
            if result.error is not None and result.is_error:
                span.fail(result.error.name)
        return result

    async def _driven(self, stretch: Stretch) -> ExecutionResult:
        job = stretch.job
        began = self._clock()
        run = self.running[job.execution_id] = Run(
            job, self._pool, self._calls, stretch.claim, self._clock, self._parking
        )
        try:
            return await self._concluded(stretch, run, began)
        finally:
            del self.running[job.execution_id]
            if not run.parked:
                await self._parking.drop(job.execution_id)
            run.over.set()

    async def _concluded(self, stretch: Stretch, run: Run, began: float) -> ExecutionResult:
        try:
            ended = await run.drive()
        except asyncio.CancelledError:
            await self._closing.cut_off(self._aged(stretch, began), run)
            raise
        stretch = self._aged(stretch, began)
        if isinstance(ended, Pause):
            return await self._closing.pause(stretch, run, ended)
        if isinstance(ended, HandOver):
            return await self._closing.hand_over(stretch, run)
        result = await ended_with(stretch, run, ended, self._state)
        return await self._closing.finish(stretch, run, result, keep_journal=run.lost == "store")

    def _aged(self, stretch: Stretch, began: float) -> Stretch:
        """With the time that this run took."""
        used = stretch.body.used_ms + self._clock() - began
        return replace(stretch, body=replace(stretch.body, used_ms=used))

    # ---- the end ------------------------------------------------------------------------------------------------
    async def close(self, record: ExecutionRecord, result: ExecutionResult) -> bool:
        """End an execution that nobody drives; False when somebody does, or did in the meantime."""
        lease = await self._right_to(record)
        if lease is None:
            return False
        claim = Claim(self._state, record, lease)
        try:
            await self._ended(claim, result)
            await claim.forget()
        except Conflict:
            return False
        finally:
            await claim.release()
            await self._parking.drop(record.execution_id)
            await tell(self._state, topic(record.execution_id))
        return True

    async def cancel_continued(self, seconds: float) -> None:
        """Stop driving what is not over after `seconds`."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._parking.close()
