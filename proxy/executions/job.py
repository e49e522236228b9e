"""What one run of an execution works with, and where its workers come from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from proxy.executions.journal import StartRecord
from proxy.executions.limits import ExecutionLimits
from proxy.executions.outcome import Observer
from proxy.executions.past import Past
from proxy.executions.protocol import Given, Resumed, Started
from proxy.executions.situation import MachineLimits
from proxy.principal import Principal
from proxy.sandbox import SandboxLimits, StartMessage, Worker
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class Job:
    """`past`, `given` and `alive` are set when it goes on from a journal."""

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
    alive: frozenset[int] = frozenset()


class Workers(Protocol):
    """Where workers come from: `proxy.sandbox.Pool`, or whatever picks the pool of the current config."""

    def worker(self, workspace_id: str, deadline_seconds: float) -> AbstractAsyncContextManager[Worker]:
        """Lease one; it is killed at the deadline. Raises `PoolBusy`, `PoolUnavailable`."""
        ...


def first_event(job: Job, now: float) -> Started | Resumed:
    """What begins the run; `now` in milliseconds since 1970."""
    return Started(now, job.start) if job.past is None else Resumed(now, job.past, job.given, job.alive)


def start_message(start: StartRecord) -> StartMessage:
    """The first word to a worker."""
    # The machine keeps the limit of parallel calls; the worker shows every call at once, so that calls which
    # are never awaited are known too.
    limits = SandboxLimits(
        calls=start.calls,
        parallel=start.calls,
        log_bytes=start.log_bytes,
        emit_bytes=start.emit_bytes,
        argument_bytes=start.argument_bytes,
        result_bytes=start.result_bytes,
    )
    return StartMessage(start.code, start.seed, start.now, limits)
