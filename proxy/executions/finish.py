"""The end of a run: its result, and what the state store keeps of it, so that a pause can be continued and a result
asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from integrations.base import JsonObject
from integrations.json_text import MAX_DEPTH, JsonTooDeep, read_json, with_safe_integers
from proxy.executions.context import MillisecondClock, RunContext
from proxy.executions.lease import ExecutionLease, pauses, tell, topic
from proxy.executions.machine.events import Ended, Pause
from proxy.executions.open_calls import OpenCalls
from proxy.executions.output import UNSAFE_INTEGERS, ShapedValue, blocks, shape
from proxy.executions.questions import interactions_for
from proxy.executions.records import (
    ExecutionBody,
    body_of,
    packed,
    paused_record,
    running_record,
    settled_record,
    stored,
)
from proxy.executions.result import ExecutionError, ExecutionRequest, ExecutionResult
from proxy.executions.run import NOT_KEPT, Run
from proxy.principal import Principal
from proxy.sandbox import Done
from proxy.state import Conflict, ExecutionRecord, LeaseLost, PendingFull, State, StateError, StateUnavailable
from proxy.telemetry import Logger

_log = Logger("executions")
PENDING_CAP: Final = 50
"""Approvals that one account may have waiting at the same time (T13)."""
_TOO_MANY = (
    f"You have {PENDING_CAP} approvals waiting already, so nothing more can be asked. Decide some of them "
    "(`resume`, the approval page or `executor approvals`), then run the code again."
)
ApprovalUrl = Callable[[str, str | None], str | None]
"""From an execution and its session to the page where a person decides; None where there is no page."""
_HANDED_OVER: Final = (
    "This server is shutting down, and the execution goes on elsewhere or after the restart. Nothing of it is lost, so "
    'do not run the code again: call resume with {{"executionId": "{id}"}} for its result.'
)

_INTERRUPTED: Final = (
    "The state store does not answer, or another server has taken this execution over. Nothing of it is lost, so do "
    'not run the code again: call resume with {{"executionId": "{id}"}} for its result.'
)


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One execution that is over, for audit, metrics and people. `lost` says how its worker died, if it did."""

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
    code: str = ""
    began_ms: float = 0.0
    result: ExecutionResult | None = None


OnExecution = Callable[[ExecutionReport], None]


@dataclass(frozen=True, slots=True)
class ExecutionStart:
    """One execution that begins, or goes on after a pause or in another process. `began_ms`: when it began first."""

    execution_id: str
    principal: Principal
    session_id: str | None
    began_ms: float
    code: str


OnBegin = Callable[[ExecutionStart], None]
OnRun = Callable[[str, float, float], JsonObject]
"""Hears of the end of a run: the execution, when the run began and ended; answers what the record keeps of it."""
RUNS_KEPT: Final = 40


def run_unseen(execution_id: str, began_ms: float, ended_ms: float) -> JsonObject:
    """Where nobody watches, the record keeps the times of a run only."""
    return {"began": began_ms, "ended": ended_ms}


@dataclass(frozen=True, slots=True)
class EndListeners:
    """Who hears of ends: of each execution once, at its end, a pause is not one; and of each run. `on_begin` hears of
    the beginning of each run."""

    on_execution: OnExecution | None = None
    on_run: OnRun = run_unseen
    on_begin: OnBegin | None = None


class Finisher:
    """Ends runs, and tells `listeners` of it."""

    def __init__(
        self,
        store: State,
        clock: MillisecondClock,
        open_calls: OpenCalls,
        listeners: EndListeners,
        approval_url: ApprovalUrl,
    ) -> None:
        self._store = store
        self._clock = clock
        self._open_calls = open_calls
        self._listeners = listeners
        self._approval_url = approval_url

    def begin(self, context: RunContext) -> None:
        """Tell who hears of beginnings."""
        if self._listeners.on_begin is not None:
            record, request = context.lease.record, context.request
            began_ms = record.created_at * 1000
            self._listeners.on_begin(
                ExecutionStart(
                    context.execution_id, context.principal, request.session_id, began_ms, request.code
                )
            )

    async def pause(self, context: RunContext, run: Run, pause: Pause) -> ExecutionResult:
        """Acknowledge a pause: everything it needs is stored before anybody hears of it."""
        lease = context.lease
        result = self._pause_result(context, run, pause)
        try:
            await lease.save(_paused(self._after(context, run), result), pending_cap=PENDING_CAP)
        except PendingFull:
            result = failed(context, run, "PendingLimitError", _TOO_MANY)
            return await self.finish(context, run, result)
        except StateUnavailable:
            await lease.release()
            return interrupted(context, run)
        except StateError as error:
            _log.exception("pause_failed", error, execution=context.execution_id)
            result = failed(context, run, "StateError", NOT_KEPT)
            self.report(context, result, "store")
            return result
        held = lease.give_away() if self._open_calls.alive(context.execution_id) else None
        if held is not None:
            run.leave_calls_open()
            self._open_calls.keep(lease.record, held)
        await lease.release()
        inbox = pauses(lease.record.owner.workspace_id)
        await tell(self._store, inbox, context.execution_id.encode())
        return result

    def _pause_result(self, context: RunContext, run: Run, pause: Pause) -> ExecutionResult:
        request = context.request
        expires_at_ms = self._clock() + context.approval_timeout_ms
        asked = interactions_for(pause.held, expires_at_ms, context.body.asked())
        status = "user_approval_required" if request.mode == "browser" else "waiting_for_interaction"
        return replace(
            shell(context, run, status),
            interactions=asked,
            pause=context.body.pauses + 1,
            expires_at_ms=min(one.expires_at_ms for one in asked),
            approval_url=self._approval_url(context.execution_id, request.session_id),
        )

    async def hand_over(self, context: RunContext, run: Run) -> ExecutionResult:
        """Leave the execution to whoever takes it next; its journal is stored."""
        lease = context.lease
        try:
            body = replace(self._after(context, run).body, handed_over=True)
            await lease.save(running_record(lease.record, body))
        except StateUnavailable:
            pass  # as for other errors below; the store logs its own outage
        except StateError as error:
            # Another process can still continue it; to that one it looks as if this process had crashed.
            _log.exception("hand_over_failed", error, execution=context.execution_id)
        finally:
            await lease.release()
        await tell(self._store, topic(context.execution_id))
        return handed_over(context, run)

    async def finish(
        self, context: RunContext, run: Run, result: ExecutionResult, *, keep_journal: bool = False
    ) -> ExecutionResult:
        """Report the end, and keep what may be asked for again.

        Without its store an execution that others know of does not end: whoever takes it over finds the journal.
        """
        lease, store_lost = context.lease, run.lost == "store"
        if store_lost and lease.announced and not lease.is_stored:
            return interrupted(context, run)  # another process has begun it and will end it
        if not store_lost:
            self.report(context, result, run.lost)
        try:
            if lease.is_stored or context.request.keep:
                await self.settle(lease, self._after(context, run).body, result)
            if not keep_journal:
                await lease.forget()
        except (StateUnavailable, LeaseLost, Conflict):
            # The result is right even so, unless the store was lost under the run; only it cannot be asked for again.
            if store_lost and lease.is_stored:
                return interrupted(context, run)
        except StateError as error:
            _log.exception("settle_failed", error, execution=context.execution_id)
        finally:
            await lease.release()
        if store_lost:
            self.report(context, result, run.lost)
        if lease.is_stored:
            await tell(self._store, topic(context.execution_id))
        return result

    async def cut_off(self, context: RunContext, run: Run) -> None:
        """The caller went away; what the store knows of must not look as if it were running."""
        result = cut_off(context, run)
        self.report(context, result, run.lost)
        if context.lease.is_stored:
            await self.settle(context.lease, self._after(context, run).body, result)
            await context.lease.release()

    async def settle(
        self, lease: ExecutionLease, body: ExecutionBody, result: ExecutionResult
    ) -> ExecutionResult:
        """Keep the result for whoever asks for it."""
        body = replace(body, result=packed(result), interactions=())
        await lease.save(settled_record(lease.record, body))
        return result

    def report(self, context: RunContext, result: ExecutionResult, lost: str | None) -> None:
        """Tell who hears of ends."""
        if self._listeners.on_execution is not None:
            self._listeners.on_execution(report_of(context, result, lost))

    def _after(self, context: RunContext, run: Run) -> RunContext:
        """With what the record keeps of the run that ends now."""
        ended = self._listeners.on_run(context.execution_id, run.began_ms, self._clock())
        runs = (*context.body.runs, ended)[-RUNS_KEPT:]
        return replace(context, body=replace(context.body, runs=runs))


def _paused(context: RunContext, result: ExecutionResult) -> ExecutionRecord:
    """The index record of a pause."""
    asked = result.interactions
    body = replace(
        context.body,
        interactions=tuple(stored(one) for one in asked),
        result=packed(result),
        attempts=0,
        pauses=result.pause,
    )
    return paused_record(context.lease.record, body, asked)


def report_of(context: RunContext, result: ExecutionResult, lost: str | None) -> ExecutionReport:
    """The report on an execution that is over."""
    return ExecutionReport(
        execution_id=result.execution_id,
        principal=context.principal,
        code_sha256=context.body.code_sha256,
        session_id=context.request.session_id,
        metadata=context.request.metadata,
        status=result.status,
        lost=lost,
        calls=sum(one.code != "not_sent" for one in result.calls),
        duration_ms=result.duration_ms,
        generation=context.generation.number,
        code=context.request.code,
        began_ms=context.lease.record.created_at * 1000,
        result=result,
    )


# ---- results -------------------------------------------------------------------------------------------------------
def shell(context: RunContext, run: Run, status: str) -> ExecutionResult:
    """A result without its outcome."""
    workspace = context.generation.workspace(context.principal.workspace_id)
    return ExecutionResult(
        execution_id=context.execution_id,
        status=status,
        workspace_id=context.principal.workspace_id,
        account_id=context.principal.account_id,
        runtime_id=context.request.runtime_id,
        session_id=context.request.session_id,
        catalog_revision=workspace.catalog.revision if workspace is not None else None,
        duration_ms=context.body.used_ms,
        logs=tuple(run.output.logs),
        emitted=blocks(run.output.emits),
        calls=run.entries(),
    )


def failed(context: RunContext, run: Run, name: str, message: str) -> ExecutionResult:
    """The end for a reason that is not the code's."""
    return replace(shell(context, run, "failed"), error=ExecutionError(name, message))


def cut_off(context: RunContext, run: Run) -> ExecutionResult:
    """The end because its caller went away."""
    ended = run.ended or Ended("canceled", name="CanceledError", message="The caller went away.")
    return replace(shell(context, run, ended.status), error=ExecutionError(ended.name, ended.message))


def handed_over(context: RunContext, run: Run) -> ExecutionResult:
    """Not the end: another process continues it."""
    error = ExecutionError("StillRunning", _HANDED_OVER.format(id=context.execution_id))
    return replace(shell(context, run, "running"), error=error)


def interrupted(context: RunContext, run: Run) -> ExecutionResult:
    """Not the end: the store does not answer, or another process has taken the execution over."""
    error = ExecutionError("StillRunning", _INTERRUPTED.format(id=context.execution_id))
    return replace(shell(context, run, "running"), error=error)


async def ended_with(context: RunContext, run: Run, ended: Ended, store: State) -> ExecutionResult:
    """The end, with what the code returned; a large value goes to the store."""
    shaped, failure, ended = await _shaped(context, ended, store)
    result = replace(shell(context, run, ended.status), error=failure)
    if shaped is None:
        return result
    result = result.with_note(UNSAFE_INTEGERS) if shaped.unsafe else result
    return replace(
        result, has_result=True, result=shaped.value, result_text=shaped.text, result_ref=shaped.ref
    )


async def _shaped(
    context: RunContext, ended: Ended, store: State
) -> tuple[ShapedValue | None, ExecutionError | None, Ended]:
    """What the code returned, or why it did not return."""
    done = ended.done
    if done is None:
        return None, ExecutionError(ended.name, ended.message), ended
    if done.error is not None:
        return None, _code_error(done), ended
    if not done.has_value:
        return None, None, ended
    owner, limits = context.owner, context.limits
    try:
        shaped = await shape(
            done.value,
            store,
            owner,
            max_bytes=limits.shown_result_bytes,
            ttl_seconds=limits.result_ttl_seconds,
        )
    except JsonTooDeep:
        message = f"The returned value is nested more than {MAX_DEPTH} levels deep."
        return None, ExecutionError("ResultLimitError", message), Ended("failed", done)
    return shaped, None, ended


def _code_error(done: Done) -> ExecutionError:
    error = done.error
    assert error is not None
    return ExecutionError(
        error.name, error.message, error.stack, error.line, error.column, _error_fields(error.fields)
    )


def _error_fields(text: str) -> JsonObject | None:
    """What the code put into its error, as far as a client can read it."""
    try:
        found = read_json(text) if text else None
        return with_safe_integers(found) if isinstance(found, dict) else None
    except (ValueError, JsonTooDeep) as error:
        return {"note": f"the fields of the error cannot be shown: {error}"}


def stopped(record: ExecutionRecord, name: str, message: str) -> ExecutionResult:
    """A failure of an execution that is not run again."""
    return _of_record(record, "failed", name, message)


def as_it_stands(record: ExecutionRecord) -> ExecutionResult:
    """What can be said now about an execution that has not ended."""
    body = body_of(record)
    if body.result is not None and record.status == "paused":
        return body.outcome()
    return _of_record(record, "running", "StillRunning", "It is still running; ask again later.")


def _of_record(record: ExecutionRecord, status: str, name: str, message: str) -> ExecutionResult:
    return ExecutionResult(
        execution_id=record.execution_id,
        status=status,
        workspace_id=record.owner.workspace_id,
        account_id=record.owner.account_id,
        runtime_id=body_of(record).asked_for().runtime_id,
        session_id=record.session_id,
        error=ExecutionError(name, message),
    )


def unrun(
    execution_id: str, request: ExecutionRequest, principal: Principal, error: ExecutionError
) -> ExecutionResult:
    """A failure before anything was run."""
    return ExecutionResult(
        execution_id=execution_id,
        status="failed",
        workspace_id=principal.workspace_id,
        account_id=principal.account_id,
        runtime_id=request.runtime_id,
        session_id=request.session_id,
        error=error,
    )
