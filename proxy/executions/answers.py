"""From how an execution ended, or where it stands, to the result that its caller gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy.executions import emitted
from proxy.executions.outcome import ExecutionError, ExecutionRequest, ExecutionResult
from proxy.executions.protocol import Ended
from proxy.executions.records import body_of
from proxy.executions.results import Shaped, TooDeep, shape
from proxy.executions.run import Run
from proxy.executions.stretch import Stretch
from proxy.principal import Principal
from proxy.sandbox import Done
from proxy.state import ExecutionRecord, Owner, State

_HANDED_OVER: Final = (
    "This server is shutting down, and the execution goes on elsewhere or after the restart. Nothing of it is lost, so "
    'do not run the code again: call resume with {{"executionId": "{id}"}} for its result.'
)

_INTERRUPTED: Final = (
    "The state store does not answer, or another server has taken this execution over. Nothing of it is lost, so do "
    'not run the code again: call resume with {{"executionId": "{id}"}} for its result.'
)


def shell(stretch: Stretch, run: Run, status: str) -> ExecutionResult:
    """A result without its outcome."""
    job = stretch.job
    workspace = job.generation.workspace(job.principal.workspace_id)
    return ExecutionResult(
        execution_id=job.execution_id,
        status=status,
        workspace_id=job.principal.workspace_id,
        account_id=job.principal.account_id,
        runtime_id=stretch.request.runtime_id,
        session_id=stretch.request.session_id,
        catalog_revision=workspace.catalog.revision if workspace is not None else None,
        duration_ms=stretch.body.used_ms,
        logs=tuple(run.heard.logs),
        emitted=emitted.blocks(run.heard.emits),
        calls=run.entries(),
    )


def failed(stretch: Stretch, run: Run, name: str, message: str) -> ExecutionResult:
    """The end for a reason that is not the code's."""
    return replace(shell(stretch, run, "failed"), error=ExecutionError(name, message))


def cut_off(stretch: Stretch, run: Run) -> ExecutionResult:
    """The end because its caller went away."""
    ended = run.ended or Ended("canceled", name="CanceledError", message="The caller went away.")
    return replace(shell(stretch, run, ended.status), error=ExecutionError(ended.name, ended.message))


def handed_over(stretch: Stretch, run: Run) -> ExecutionResult:
    """Not the end: another process goes on."""
    error = ExecutionError("StillRunning", _HANDED_OVER.format(id=stretch.job.execution_id))
    return replace(shell(stretch, run, "running"), error=error)


def interrupted(stretch: Stretch, run: Run) -> ExecutionResult:
    """Not the end: it is in the store, which does not answer, or which says that it is somebody else's by now."""
    error = ExecutionError("StillRunning", _INTERRUPTED.format(id=stretch.job.execution_id))
    return replace(shell(stretch, run, "running"), error=error)


async def ended_with(stretch: Stretch, run: Run, ended: Ended, store: State) -> ExecutionResult:
    """The end, with what the code returned; a large value goes to the store."""
    shaped, failure, ended = await _shaped(stretch, ended, store)
    result = replace(shell(stretch, run, ended.status), error=failure)
    if shaped is None:
        return result
    return replace(
        result, has_result=True, result=shaped.value, result_text=shaped.text, result_ref=shaped.ref
    )


async def _shaped(
    stretch: Stretch, ended: Ended, store: State
) -> tuple[Shaped | None, ExecutionError | None, Ended]:
    """What the code returned, or why it did not return."""
    done = ended.done
    if done is None:
        return None, ExecutionError(ended.name, ended.message), ended
    if done.error is not None:
        return None, _code_error(done), ended
    if not done.has_value:
        return None, None, ended
    principal, limits = stretch.job.principal, stretch.limits
    owner = Owner(principal.workspace_id, principal.account_id)
    ttl_seconds = limits.result_ttl_seconds
    try:
        shaped = await shape(
            done.value, store, owner, max_bytes=limits.shown_result_bytes, ttl_seconds=ttl_seconds
        )
    except TooDeep:
        message = "The returned value is nested more than 250 levels deep."
        return None, ExecutionError("ResultLimitError", message), Ended("failed", done)
    return shaped, None, ended


def _code_error(done: Done) -> ExecutionError:
    error = done.error
    assert error is not None
    return ExecutionError(error.name, error.message, error.stack, error.line, error.column)


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
