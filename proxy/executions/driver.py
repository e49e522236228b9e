"""`Driver`: from a request, or from a journal, to the next result: an end or a pause.

Raises nothing for what agent code, workers or upstreams do.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from proxy.calls import Calls
from proxy.config import Config
from proxy.executions import emitted
from proxy.executions.claim import LEASE_SECONDS, Claim
from proxy.executions.given import by_call, chosen, given_by
from proxy.executions.journal import CorruptJournal, StartRecord, decode
from proxy.executions.limits import ExecutionLimits
from proxy.executions.outcome import ExecutionError, ExecutionRequest, ExecutionResult, Observer, unavailable
from proxy.executions.past import past_of
from proxy.executions.protocol import Ended, Pause
from proxy.executions.questions import questions
from proxy.executions.records import Body, body_of, new_body, packed
from proxy.executions.results import Shaped, TooDeep, shape
from proxy.executions.run import Job, Run, Workers
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.sandbox import Done
from proxy.state import ExecutionRecord, Lease, Owner, PendingFull, State, StateError
from proxy.telemetry import Log
from proxy.workspace import Generation

_log = Log("executions")
_NOT_KEPT = "The record of this execution could not be kept, so it was stopped."
PENDING_CAP: Final = 50
"""Approvals that one account may have waiting at the same time (T13)."""
_ATTEMPTS: Final = 3
_TOO_MANY = (
    f"You have {PENDING_CAP} approvals waiting already, so nothing more can be asked. Decide some of them "
    "(`resume`, the approval page or `executor approvals`), then run the code again."
)


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One execution that is over, for audit and metrics. `lost` says how its worker died, if it did."""

    execution_id: str
    principal: Principal
    code_sha256: str
    session_id: str | None
    metadata: Mapping[str, Any]
    status: str
    lost: str | None
    calls: int
    duration_ms: float
    generation: int


OnExecution = Callable[[ExecutionReport], None]
ApprovalUrl = Callable[[str, str | None], str | None]
"""From an execution and its session to the page where a person decides; None where there is no page."""


def wall_clock() -> Callable[[], float]:
    """Milliseconds since 1970 that never go back, whatever happens to the system's clock."""
    offset = time.time() * 1000 - time.perf_counter() * 1000
    return lambda: round(offset + time.perf_counter() * 1000, 3)


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
        on_execution: OnExecution | None,
        approval_url: ApprovalUrl,
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._live = live
        self._state = state
        self._limits = limits
        self._clock = clock
        self._on_execution = on_execution
        self._approval_url = approval_url
        self._continued: dict[str, asyncio.Task[ExecutionResult]] = {}
        self.running: dict[str, Run] = {}

    # ---- new executions -----------------------------------------------------------------------------------------
    async def begin(
        self, execution_id: str, request: ExecutionRequest, principal: Principal, observer: Observer
    ) -> ExecutionResult:
        """Run the code on the generation that is current now. Raises `NotServing`."""
        with self._live.lease() as generation:
            if generation.workspace(principal.workspace_id) is None:
                raise NotServing("this workspace is no longer configured")
            limits = self._limits(generation.config)
            job = self._job(execution_id, request, principal, observer, generation, limits)
            now = self._clock() / 1000
            code_sha256 = hashlib.sha256(request.code.encode()).hexdigest()
            body = new_body(request, principal, code_sha256)
            record = ExecutionRecord(
                execution_id=execution_id,
                owner=Owner(principal.workspace_id, principal.account_id),
                status="running",
                created_at=now,
                expires_at=now + limits.execution_ttl_seconds,
                body=body.encoded(),
                session_id=request.session_id,
            )
            return await self._run(_Task(job, request, body, Claim(self._state, record), limits))

    def _job(
        self,
        execution_id: str,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        generation: Generation,
        limits: ExecutionLimits,
    ) -> Job:
        machine = limits.for_request(request.timeout_ms)
        start = StartRecord(
            code=request.code,
            seed=secrets.token_hex(32),
            now=self._clock(),
            calls=machine.calls,
            log_bytes=limits.log_bytes,
            emit_bytes=limits.emit_bytes,
            argument_bytes=machine.argument_bytes,
            result_bytes=limits.result_bytes,
        )
        return Job(execution_id, request.session_id, principal, generation, start, limits, machine, observer)

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
        if task is None:
            lease = await self._state.acquire_lease(record.execution_id, secrets.token_hex(8), LEASE_SECONDS)
            task = self._continued.get(record.execution_id)
            if task is None:
                if lease is None:
                    return None
                task = asyncio.ensure_future(self._continue(record, lease, observer))  # noqa: TID251 - owned here
                self._continued[record.execution_id] = task
                task.add_done_callback(self._stopped)
        return task

    def _stopped(self, task: asyncio.Task[ExecutionResult]) -> None:
        """Who waits for it gets the error too; but perhaps nobody waits."""
        self._continued = {name: one for name, one in self._continued.items() if one is not task}
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("execution_not_continued", error=f"{type(error).__name__}: {error}")

    async def _continue(self, record: ExecutionRecord, lease: Lease, observer: Observer) -> ExecutionResult:
        claim = Claim(self._state, record, lease)
        try:
            return await self._from_journal(claim, observer)
        finally:
            await claim.release()
            await self._state.publish(topic(record.execution_id), b"")

    async def _from_journal(self, claim: Claim, observer: Observer) -> ExecutionResult:
        record = claim.record
        found = await self._state.find_execution(record.execution_id, record.owner.workspace_id)
        if found is None:
            return unavailable("execution_not_found", record.execution_id, record.owner)
        claim.record = record = found
        body = body_of(record)
        if record.status == "settled":
            return body.outcome()
        if record.due_at is not None and record.due_at * 1000 <= self._clock():
            return await self._settle(
                claim, body, unavailable("execution_expired", record.execution_id, record.owner)
            )
        crashed = record.status == "running"
        if crashed and body.attempts >= _ATTEMPTS:
            error = ExecutionError(
                "SandboxError", "The server stopped each time it went on with this execution."
            )
            return await self._settle(claim, body, self._bare(record, body, error))
        try:
            past = past_of(
                [decode(line) for line in await self._state.read_journal(record.execution_id, record.owner)]
            )
        except CorruptJournal as why:
            error = ExecutionError("StateError", f"The journal of this execution cannot be read: {why}.")
            return await self._settle(claim, body, self._bare(record, body, error))
        decisions = await self._state.decisions(record.execution_id, record.owner)
        claim.decisions = {one.interaction_id: one for one in decisions}
        given = given_by(body.asked(), claim.decisions, self._clock())
        body = replace(
            body, attempts=body.attempts + crashed, decided={**body.decided, **chosen(given, claim.decisions)}
        )
        await claim.save(replace(record, status="running", due_at=None, pending=0, body=body.encoded()))
        with self._live.lease() as generation:
            if generation.workspace(record.owner.workspace_id) is None:
                error = ExecutionError("NotServing", "This workspace is no longer configured.")
                return await self._settle(claim, body, self._bare(record, body, error))
            limits = self._limits(generation.config)
            request = replace(body.asked_for(), code=past.start.code)
            machine = replace(
                limits.for_request(request.timeout_ms),
                calls=past.start.calls,
                argument_bytes=past.start.argument_bytes,
            )
            job = Job(
                record.execution_id,
                record.session_id,
                body.who(),
                generation,
                past.start,
                limits,
                machine,
                observer,
                past,
                by_call(given, body.asked()),
            )
            return await self._run(_Task(job, request, body, claim, limits))

    def _bare(self, record: ExecutionRecord, body: Body, error: ExecutionError) -> ExecutionResult:
        request = body.asked_for()
        return ExecutionResult(
            execution_id=record.execution_id,
            status="failed",
            workspace_id=record.owner.workspace_id,
            account_id=record.owner.account_id,
            runtime_id=request.runtime_id,
            session_id=request.session_id,
            error=error,
        )

    # ---- both ---------------------------------------------------------------------------------------------------
    async def _run(self, task: _Task) -> ExecutionResult:
        job, claim = task.job, task.claim
        began = self._clock()
        run = self.running[job.execution_id] = Run(job, self._pool, self._calls, claim, self._clock)
        try:
            ended = await run.drive()
        except asyncio.CancelledError:
            await self._cut_off(task, run, began)
            raise
        finally:
            del self.running[job.execution_id]
        used = task.body.used_ms + self._clock() - began
        task = replace(task, body=replace(task.body, used_ms=used))
        if isinstance(ended, Pause):
            return await self._pause(task, run, ended)
        result = await self._result(task, run, ended)
        self._report(task, result, run.lost)
        return await self._finish(task, result, keep_journal=run.lost == "store")

    async def _cut_off(self, task: _Task, run: Run, began: float) -> None:
        """The caller went away; what the store knows of must not look as if it were running."""
        used = self._clock() - began
        ended = run.ended or Ended("canceled", name="CanceledError", message="The caller went away.")
        result = self._shell(task, run, ended.status, used)
        result = replace(result, error=ExecutionError(ended.name, ended.message))
        self._report(task, result, run.lost)
        if task.claim.kept:
            await self._settle(task.claim, task.body, result)
            await task.claim.release()

    async def _pause(self, task: _Task, run: Run, pause: Pause) -> ExecutionResult:
        """Acknowledge a pause: everything it needs is stored before anybody hears of it."""
        claim, body = task.claim, task.body
        expires = self._clock() + _approval_timeout_ms(task)
        asked = questions(pause.held, expires, body.asked())
        browser = task.request.mode == "browser"
        status = "user_approval_required" if browser else "waiting_for_interaction"
        result = replace(
            self._shell(task, run, status, body.used_ms),
            interactions=asked,
            expires_at=min(one.expires_at for one in asked),
            approval_url=self._approval_url(task.job.execution_id, task.request.session_id),
        )
        body = replace(
            body, interactions=tuple(one.stored() for one in asked), result=packed(result), attempts=0
        )
        due = max(one.expires_at for one in asked) / 1000
        record = replace(
            claim.record,
            status="paused",
            due_at=due,
            expires_at=max(claim.record.expires_at, due + 60),
            pending=len(asked),
            body=body.encoded(),
        )
        try:
            await claim.save(record, pending_cap=PENDING_CAP)
        except PendingFull:
            failed = replace(
                self._shell(task, run, "failed", body.used_ms),
                error=ExecutionError("PendingLimitError", _TOO_MANY),
            )
            self._report(task, failed, None)
            return await self._finish(task, failed)
        except StateError as error:
            _log.exception("pause_failed", error, execution=task.job.execution_id)
            failed = replace(
                self._shell(task, run, "failed", body.used_ms), error=ExecutionError("StateError", _NOT_KEPT)
            )
            self._report(task, failed, "store")
            return failed
        await claim.release()
        await self._state.publish(pauses(claim.record.owner.workspace_id), task.job.execution_id.encode())
        return result

    async def _finish(
        self, task: _Task, result: ExecutionResult, *, keep_journal: bool = False
    ) -> ExecutionResult:
        claim = task.claim
        try:
            if claim.kept or task.request.keep:
                await self._settle(claim, task.body, result)
            if not keep_journal:
                await claim.forget()
        except StateError as error:
            # The result is right, only it cannot be asked for again; whoever takes over finds the journal.
            _log.exception("settle_failed", error, execution=task.job.execution_id)
        finally:
            if claim.lease is not None:
                await claim.release()
        return result

    async def _settle(self, claim: Claim, body: Body, result: ExecutionResult) -> ExecutionResult:
        body = replace(body, result=packed(result), interactions=())
        record = replace(claim.record, status="settled", due_at=None, pending=0, body=body.encoded())
        await claim.save(record)
        return result

    async def close(self, record: ExecutionRecord, result: ExecutionResult) -> bool:
        """End an execution that nobody drives; False when somebody does."""
        lease = await self._state.acquire_lease(record.execution_id, secrets.token_hex(8), LEASE_SECONDS)
        if lease is None:
            return False
        claim = Claim(self._state, record, lease)
        try:
            await self._settle(claim, body_of(record), result)
            await claim.forget()
        finally:
            await claim.release()
            await self._state.publish(topic(record.execution_id), b"")
        return True

    # ---- results ------------------------------------------------------------------------------------------------
    def _shell(self, task: _Task, run: Run, status: str, milliseconds: float) -> ExecutionResult:
        """A result without its outcome."""
        job = task.job
        workspace = job.generation.workspace(job.principal.workspace_id)
        return ExecutionResult(
            execution_id=job.execution_id,
            status=status,
            workspace_id=job.principal.workspace_id,
            account_id=job.principal.account_id,
            runtime_id=task.request.runtime_id,
            session_id=task.request.session_id,
            catalog_revision=workspace.catalog.revision if workspace is not None else None,
            duration_ms=milliseconds,
            logs=tuple(run.heard.logs),
            emitted=emitted.blocks(run.heard.emits),
            calls=run.entries(),
        )

    def _failed(self, task: _Task, run: Run, error: ExecutionError) -> ExecutionResult:
        return replace(self._shell(task, run, "failed", task.body.used_ms), error=error)

    async def _result(self, task: _Task, run: Run, ended: Ended) -> ExecutionResult:
        shaped, failure, ended = await self._shaped(ended, task.job)
        result = self._shell(task, run, ended.status, task.body.used_ms)
        if shaped is None:
            return replace(result, error=failure)
        return replace(
            result,
            has_result=True,
            result=shaped.value,
            result_text=shaped.text,
            result_ref=shaped.ref,
            error=failure,
        )

    async def _shaped(self, ended: Ended, job: Job) -> tuple[Shaped | None, ExecutionError | None, Ended]:
        """What the code returned, or why it did not return."""
        done = ended.done
        if done is None:
            return None, ExecutionError(ended.name, ended.message), ended
        if done.error is not None:
            return None, _code_error(done), ended
        if not done.has_value:
            return None, None, ended
        owner = Owner(job.principal.workspace_id, job.principal.account_id)
        limits = job.limits
        try:
            shaped = await shape(
                done.value,
                self._state,
                owner,
                max_bytes=limits.shown_result_bytes,
                ttl_seconds=limits.result_ttl_seconds,
            )
        except TooDeep:
            message = "The returned value is nested more than 250 levels deep."
            return None, ExecutionError("ResultLimitError", message), Ended("failed", done)
        return shaped, None, ended

    def _report(self, task: _Task, result: ExecutionResult, lost: str | None) -> None:
        """Told once, at the end: a pause is not one."""
        if self._on_execution is None:
            return
        self._on_execution(
            ExecutionReport(
                execution_id=result.execution_id,
                principal=task.job.principal,
                code_sha256=task.body.code_sha256,
                session_id=task.request.session_id,
                metadata=task.request.metadata,
                status=result.status,
                lost=lost,
                calls=sum(one.code != "not_sent" for one in result.calls),
                duration_ms=result.duration_ms,
                generation=task.job.generation.number,
            )
        )

    # ---- the end ------------------------------------------------------------------------------------------------
    async def cancel_continued(self) -> None:
        """Stop driving; what is on record can be continued by another process."""
        tasks = list(self._continued.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Task:
    """One run and what its result needs."""

    job: Job
    request: ExecutionRequest
    body: Body
    claim: Claim
    limits: ExecutionLimits


def _approval_timeout_ms(task: _Task) -> float:
    """The workspace's own word, else the general one."""
    space = task.job.generation.config.workspaces.get(task.job.principal.workspace_id)
    own = space.elicitation.approval_timeout if space is not None else None
    return own * 1000 if own is not None else task.limits.approval_timeout_ms


def topic(execution_id: str) -> str:
    """Where it is published that something about an execution has changed."""
    return f"execution.{execution_id}"


def pauses(workspace_id: str) -> str:
    """Where the ids of executions that paused are published, for inboxes and webhooks."""
    return f"pauses.{workspace_id}"


def _code_error(done: Done) -> ExecutionError:
    error = done.error
    assert error is not None
    return ExecutionError(error.name, error.message, error.stack, error.line, error.column)
