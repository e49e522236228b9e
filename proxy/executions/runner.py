"""`Executions`: from a request to a result. Raises nothing for what agent code, workers or upstreams do."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.calls import Calls
from proxy.config import Config
from proxy.executions import emitted
from proxy.executions.journal import StartRecord
from proxy.executions.limits import ExecutionLimits, limits_from
from proxy.executions.outcome import ExecutionError, ExecutionRequest, ExecutionResult, Observer
from proxy.executions.protocol import Ended
from proxy.executions.results import Shaped, TooDeep, shape
from proxy.executions.run import Job, Run, Workers
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.sandbox import Done
from proxy.state import Owner, State
from proxy.workspace import Generation

_GONE = "Executions are not kept after they ended. Run the code again with `execute`."


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


def wall_clock() -> Callable[[], float]:
    """Milliseconds since 1970 that never go back, whatever happens to the system's clock."""
    offset = time.time() * 1000 - time.perf_counter() * 1000
    return lambda: round(offset + time.perf_counter() * 1000, 3)


class Executions:
    """All executions of this process. `on_execution` hears of each once, after its end, and must not block."""

    def __init__(
        self,
        pool: Workers,
        calls: Calls,
        live: Live,
        state: State,
        *,
        limits: Callable[[Config], ExecutionLimits] = limits_from,
        clock: Callable[[], float] | None = None,
        on_execution: OnExecution | None = None,
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._live = live
        self._state = state
        self._limits = limits
        self._clock = clock or wall_clock()
        self._on_execution = on_execution
        self._running: dict[str, Run] = {}

    @property
    def running(self) -> int:
        """How many executions are under way."""
        return len(self._running)

    async def execute(
        self, request: ExecutionRequest, principal: Principal, observer: Observer
    ) -> ExecutionResult:
        """Run the code on the generation that is current now. When this task is cancelled the worker is killed."""
        execution_id = f"exec_{secrets.token_hex(16)}"
        if not _is_text(request.code):
            error = ExecutionError(
                "SyntaxError", "The code is not valid Unicode: it holds half of a surrogate pair."
            )
            return self._unrun(execution_id, request, principal, error)
        try:
            with self._live.lease() as generation:
                return await self._leased(execution_id, request, principal, observer, generation)
        except NotServing as closed:
            error = ExecutionError("NotServing", f"{closed}; try again shortly.")
            return self._unrun(execution_id, request, principal, error)

    async def resume(
        self,
        execution_id: str,
        action: str,
        content: Mapping[str, Any] | None,
        interaction_id: str | None,
        principal: Principal,
    ) -> ExecutionResult:
        """Nothing waits for a decision in this version, so no id is found."""
        message = f"There is no execution `{execution_id[:64]}` that waits for a decision. {_GONE}"
        return ExecutionResult(
            execution_id=execution_id,
            status="execution_not_found",
            workspace_id=principal.workspace_id,
            account_id=principal.account_id,
            error=ExecutionError("ExecutionNotFound", message),
            recovery="re_execute",
        )

    async def idle(self) -> None:
        """Return when nothing is under way. Unbounded: the caller sets the limit."""
        while self._running:
            await next(iter(self._running.values())).over.wait()
            await asyncio.sleep(0)

    async def cancel_all(self, why: str = "The server is shutting down.", seconds: float = 5.0) -> int:
        """Cancel everything and wait for the results to be on their way; how many are still under way after that."""
        runs = list(self._running.values())
        for run in runs:
            run.cancel(why)
        try:
            async with asyncio.timeout(seconds):
                for run in runs:
                    await run.over.wait()
        except TimeoutError:
            pass
        return sum(not run.over.is_set() for run in runs)

    async def _leased(
        self,
        execution_id: str,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        generation: Generation,
    ) -> ExecutionResult:
        workspace = generation.workspace(principal.workspace_id)
        if workspace is None:
            error = ExecutionError("NotServing", "This workspace is no longer configured.")
            return self._unrun(execution_id, request, principal, error)
        limits = self._limits(generation.config)
        began = self._clock()
        job = self._job(execution_id, request, principal, observer, generation, limits)
        run = self._running[execution_id] = Run(job, self._pool, self._calls, self._state, self._clock)
        try:
            ended = await run.drive()
        finally:
            del self._running[execution_id]
            self._report(request, job, run, self._clock() - began)
        result, failure, ended = await self._shaped(ended, job)
        return ExecutionResult(
            execution_id=execution_id,
            status=ended.status,
            workspace_id=principal.workspace_id,
            account_id=principal.account_id,
            runtime_id=request.runtime_id,
            session_id=request.session_id,
            catalog_revision=workspace.catalog.revision,
            duration_ms=self._clock() - began,
            has_result=result is not None,
            result=result.value if result is not None else None,
            result_text=result.text if result is not None else "",
            result_ref=result.ref if result is not None else None,
            error=failure,
            logs=tuple(run.heard.logs),
            emitted=emitted.blocks(run.heard.emits),
            calls=run.entries(),
        )

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

    def _unrun(
        self, execution_id: str, request: ExecutionRequest, principal: Principal, error: ExecutionError
    ) -> ExecutionResult:
        return ExecutionResult(
            execution_id=execution_id,
            status="failed",
            workspace_id=principal.workspace_id,
            account_id=principal.account_id,
            runtime_id=request.runtime_id,
            session_id=request.session_id,
            error=error,
        )

    def _report(self, request: ExecutionRequest, job: Job, run: Run, milliseconds: float) -> None:
        if self._on_execution is None:
            return
        report = ExecutionReport(
            execution_id=job.execution_id,
            principal=job.principal,
            code_sha256=hashlib.sha256(request.code.encode("utf-8", "surrogatepass")).hexdigest(),
            session_id=request.session_id,
            metadata=request.metadata,
            status=run.ended.status if run.ended is not None else "failed",
            lost=run.lost,
            calls=run.calls_made,
            duration_ms=milliseconds,
            generation=job.generation.number,
        )
        self._on_execution(report)


def _is_text(code: str) -> bool:
    """JSON may carry `"\\ud800"`, which no UTF-8 can."""
    try:
        code.encode()
    except UnicodeEncodeError:
        return False
    return True


def _code_error(done: Done) -> ExecutionError:
    error = done.error
    assert error is not None
    return ExecutionError(error.name, error.message, error.stack, error.line, error.column)
