"""One stretch of an execution: from its start, or from where a journal ends, to its next result."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from proxy.executions.claim import Claim
from proxy.executions.job import Job
from proxy.executions.journal import StartRecord
from proxy.executions.limits import ExecutionLimits
from proxy.executions.outcome import ExecutionRequest, Observer
from proxy.executions.past import Past
from proxy.executions.protocol import Given
from proxy.executions.records import Body, body_of, new_body
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner, State
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run and what its result needs."""

    job: Job
    request: ExecutionRequest
    body: Body
    claim: Claim
    limits: ExecutionLimits

    @property
    def approval_timeout_ms(self) -> float:
        """The workspace's own word, else the general one."""
        space = self.job.generation.config.workspaces.get(self.job.principal.workspace_id)
        own = space.elicitation.approval_timeout if space is not None else None
        return own * 1000 if own is not None else self.limits.approval_timeout_ms


@dataclass(frozen=True, slots=True)
class Asked:
    """A new execution: what was asked for, by whom, and who listens. `known`: others wait for one of this id."""

    execution_id: str
    request: ExecutionRequest
    principal: Principal
    observer: Observer
    known: bool = False


def first_stretch(
    asked: Asked, generation: Generation, limits: ExecutionLimits, store: State, now: float
) -> Stretch:
    """A new execution on this generation; `now` in milliseconds since 1970. Nothing is stored yet."""
    request, principal = asked.request, asked.principal
    body = new_body(request, principal, hashlib.sha256(request.code.encode()).hexdigest())
    record = ExecutionRecord(
        execution_id=asked.execution_id,
        owner=Owner(principal.workspace_id, principal.account_id),
        status="running",
        created_at=now / 1000,
        expires_at=now / 1000 + limits.execution_ttl_seconds,
        body=body.encoded(),
        session_id=request.session_id,
    )
    machine = limits.for_request(request.timeout_ms)
    start = StartRecord(
        code=request.code,
        seed=secrets.token_hex(32),
        now=now,
        calls=machine.calls,
        log_bytes=limits.log_bytes,
        emit_bytes=limits.emit_bytes,
        argument_bytes=machine.argument_bytes,
        result_bytes=limits.result_bytes,
    )
    who = (asked.execution_id, request.session_id, principal)
    job = Job(*who, generation, start, limits, machine, asked.observer)
    return Stretch(job, request, body, Claim(store, record, known=asked.known), limits)


def next_stretch(
    claim: Claim,
    past: Past,
    given: Mapping[int, Given],
    principal: Principal,
    generation: Generation,
    limits: ExecutionLimits,
    observer: Observer,
    alive: frozenset[int] = frozenset(),
) -> Stretch:
    """The execution goes on where its journal ends, under this generation, for its caller as that is now."""
    record, body = claim.record, body_of(claim.record)
    request = replace(body.asked_for(), code=past.start.code)
    machine = replace(
        limits.for_request(request.timeout_ms),
        calls=past.start.calls,
        argument_bytes=past.start.argument_bytes,
    )
    who = (record.execution_id, record.session_id, principal)
    job = Job(*who, generation, past.start, limits, machine, observer, past, given, alive)
    return Stretch(job, request, body, claim, limits)
