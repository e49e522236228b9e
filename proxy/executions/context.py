"""What executions run with: the process's environment, the limits and the clock, and the context of one run."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from proxy.calls import Calls
from proxy.config import Config
from proxy.executions.lease import ExecutionLease
from proxy.executions.machine.events import Resolution, Resumed, Started
from proxy.executions.machine.journal import Past, StartRecord
from proxy.executions.machine.state import MachineLimits
from proxy.executions.records import ExecutionBody, body_of, new_body, new_record
from proxy.executions.result import ExecutionRequest, Observer
from proxy.live import Live
from proxy.principal import Principal
from proxy.sandbox import MOST_CALLS, SandboxLimits, StartMessage, Worker
from proxy.state import Owner, State
from proxy.telemetry.spans import NoSpans, Spans
from proxy.turns import Turns
from proxy.workspace import Generation

MillisecondClock = Callable[[], float]
"""Milliseconds since 1970 that never go back."""


# ---- limits --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """Bytes and milliseconds. `shown_result_bytes` bounds `structuredContent.result`, `result_bytes` what code may
    return at all, `log_bytes` and `emit_bytes` what it may write.
    """

    machine: MachineLimits = field(default_factory=MachineLimits)
    timeout_ms: float = 300_000.0
    max_timeout_ms: float = 600_000.0
    log_bytes: int = 256 * 1024
    emit_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 8 * 1024 * 1024
    shown_result_bytes: int = 256 * 1024
    result_ttl_seconds: float = 86_400.0
    approval_timeout_ms: float = 900_000.0
    execution_ttl_ms: float = 86_400_000.0

    def for_request(self, timeout_ms: int | None) -> MachineLimits:
        """The machine's limits with the active time that was asked for, or the default, below the maximum."""
        asked = self.timeout_ms if timeout_ms is None else float(timeout_ms)
        return replace(self.machine, active_ms=min(asked, self.max_timeout_ms))


def limits_from(config: Config) -> ExecutionLimits:
    """`sandbox`, `execute` and `state` as the machine and the worker want them."""
    sandbox = config.sandbox
    machine = MachineLimits(calls=sandbox.max_tool_calls, parallel=sandbox.max_parallel_tool_calls)
    return ExecutionLimits(
        machine=machine,
        timeout_ms=sandbox.timeout * 1000,
        max_timeout_ms=sandbox.max_timeout * 1000,
        log_bytes=sandbox.max_output,
        shown_result_bytes=config.execute.max_result_bytes,
        result_ttl_seconds=config.state.execution_ttl,
        approval_timeout_ms=config.elicitation.approval_timeout * 1000,
        execution_ttl_ms=config.state.execution_ttl * 1000,
    )


# ---- the clock -----------------------------------------------------------------------------------------------------
def wall_clock() -> MillisecondClock:
    """Milliseconds since 1970 that never go back, whatever happens to the system's clock."""
    offset = time.time() * 1000 - time.perf_counter() * 1000
    return lambda: round(offset + time.perf_counter() * 1000, 3)


def not_before(clock: MillisecondClock, least_ms: float) -> MillisecondClock:
    """The clock, put forward if it is behind `least_ms` now.

    A journal may come from a machine whose clock is ahead of ours. Code that waits from then on would wait longer by
    that much.
    """
    behind = least_ms - clock()
    return clock if behind <= 0 else lambda: round(clock() + behind, 3)


def within(milliseconds: float) -> asyncio.Timeout:
    """`asyncio.timeout` in the unit that is used here."""
    return asyncio.timeout(milliseconds / 1000)


# ---- the environment -----------------------------------------------------------------------------------------------
class Workers(Protocol):
    """Where workers come from: `proxy.sandbox.Pool`, or whatever picks the pool of the current config."""

    def worker(
        self, workspace_id: str, deadline_seconds: float, account: str
    ) -> AbstractAsyncContextManager[Worker]:
        """Lease one for an account; it is killed at the deadline. Raises `PoolBusy`, `PoolUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """What all executions of this process run with.

    `refresh_principal` turns a caller into what it is now, with the groups of the current config; None when it is not
    admitted any more. What a worker says is heard when it is the account's turn.
    """

    pool: Workers
    calls: Calls
    live: Live
    store: State
    clock: MillisecondClock
    limits: Callable[[Config], ExecutionLimits] = limits_from
    spans: Spans = field(default_factory=NoSpans)
    refresh_principal: Callable[[Principal], Principal | None] = lambda principal: principal
    turns: Turns = field(default_factory=Turns)


# ---- one run -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class NewExecution:
    """What is to be run, for whom, and who listens. `announced`: others wait for an execution of this id."""

    execution_id: str
    request: ExecutionRequest
    principal: Principal
    observer: Observer
    announced: bool = False


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a run goes on from: what happened so far, what was decided since, by call, and which calls are under way
    in this process still.
    """

    past: Past
    resolutions: Mapping[int, Resolution]
    alive: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run of an execution: from its start, or from where its journal ends, to its next result.

    `machine` are the limits of this execution, `limits` those of the config. `continued` is None for a first run.
    """

    execution_id: str
    request: ExecutionRequest
    principal: Principal
    observer: Observer
    generation: Generation
    limits: ExecutionLimits
    machine: MachineLimits
    start: StartRecord
    body: ExecutionBody
    lease: ExecutionLease
    continued: Continuation | None = None

    @property
    def past(self) -> Past | None:
        return self.continued.past if self.continued is not None else None

    @property
    def owner(self) -> Owner:
        return self.lease.record.owner

    @property
    def approval_timeout_ms(self) -> float:
        """The workspace's own value, else the general one."""
        space = self.generation.config.workspaces.get(self.principal.workspace_id)
        own = space.elicitation.approval_timeout if space is not None else None
        return own * 1000 if own is not None else self.limits.approval_timeout_ms

    def first_event(self, now_ms: float) -> Started | Resumed:
        """What begins the run."""
        if self.continued is None:
            return Started(now_ms, self.start)
        return Resumed(now_ms, self.continued.past, self.continued.resolutions, self.continued.alive)

    def with_time(self, milliseconds: float) -> RunContext:
        """The same with this much more time used."""
        return replace(self, body=replace(self.body, used_ms=self.body.used_ms + milliseconds))


def first_run(
    new: NewExecution, generation: Generation, limits: ExecutionLimits, store: State, now_ms: float
) -> RunContext:
    """A new execution on this generation. Nothing is stored yet."""
    request, principal = new.request, new.principal
    body = new_body(request, principal, hashlib.sha256(request.code.encode()).hexdigest())
    record = new_record(new.execution_id, principal, body, now_ms, limits.execution_ttl_ms)
    machine = limits.for_request(request.timeout_ms)
    start = StartRecord(
        code=request.code,
        seed=secrets.token_hex(32),
        now=now_ms,
        calls=machine.calls,
        log_bytes=limits.log_bytes,
        emit_bytes=limits.emit_bytes,
        argument_bytes=machine.argument_bytes,
        result_bytes=limits.result_bytes,
    )
    return RunContext(
        execution_id=new.execution_id,
        request=request,
        principal=principal,
        observer=new.observer,
        generation=generation,
        limits=limits,
        machine=machine,
        start=start,
        body=body,
        lease=ExecutionLease(store, record, announced=new.announced),
    )


def next_run(
    lease: ExecutionLease,
    continued: Continuation,
    principal: Principal,
    generation: Generation,
    limits: ExecutionLimits,
    observer: Observer,
) -> RunContext:
    """The execution goes on where its journal ends, under this generation, for its caller as that is now."""
    body, start = body_of(lease.record), continued.past.start
    request = replace(body.asked_for(), code=start.code)
    machine = limits.for_request(request.timeout_ms)
    return RunContext(
        execution_id=lease.record.execution_id,
        request=request,
        principal=principal,
        observer=observer,
        generation=generation,
        limits=limits,
        machine=replace(machine, calls=start.calls, argument_bytes=start.argument_bytes),
        start=start,
        body=body,
        lease=lease,
        continued=continued,
    )


def start_message(start: StartRecord) -> StartMessage:
    """The first word to a worker."""
    # The machine keeps the limit of parallel calls; the worker shows every call at once (as many as a frame may hold),
    # so that calls which are never awaited are known too.
    limits = SandboxLimits(
        calls=start.calls,
        parallel=min(start.calls, MOST_CALLS),
        log_bytes=start.log_bytes,
        emit_bytes=start.emit_bytes,
        argument_bytes=start.argument_bytes,
        result_bytes=start.result_bytes,
    )
    return StartMessage(start.code, start.seed, start.now, limits)
