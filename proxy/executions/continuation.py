"""A stored execution, read for going on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from proxy.executions.answers import stopped
from proxy.executions.claim import Claim
from proxy.executions.given import by_call, chosen, given_by
from proxy.executions.journal import CorruptJournal, decode
from proxy.executions.outcome import ExecutionResult, unavailable
from proxy.executions.past import Past, past_of
from proxy.executions.protocol import Given
from proxy.executions.records import body_of
from proxy.state import State

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Open:
    """It can go on: what happened so far, and what was decided since, by call. The record says `running`."""

    past: Past
    given: Mapping[int, Given]


@dataclass(frozen=True, slots=True)
class Over:
    """It cannot. `stored`: the store knows the result already, or has no place for it."""

    result: ExecutionResult
    stored: bool = False


async def opened(store: State, claim: Claim, now: float) -> Open | Over:
    """Read the claimed execution again, as it is now, and mark it as running. `now` in milliseconds since 1970."""
    record = claim.record
    found = await store.find_execution(record.execution_id, record.owner.workspace_id)
    if found is None:
        return Over(unavailable("execution_not_found", record.execution_id, record.owner), stored=True)
    claim.record = record = found
    body = body_of(record)
    if record.status == "settled":
        return Over(body.outcome(), stored=True)
    if record.due_at is not None and record.due_at * 1000 <= now:
        return Over(unavailable("execution_expired", record.execution_id, record.owner))
    crashed = record.status == "running" and not body.handed_over
    if crashed and body.attempts >= _ATTEMPTS:
        why = "The server stopped each time it went on with this execution."
        return Over(stopped(record, "SandboxError", why))
    try:
        past = past_of([decode(line) for line in await store.read_journal(record.execution_id, record.owner)])
    except CorruptJournal as why:
        message = f"The journal of this execution cannot be read: {why}."
        return Over(stopped(record, "StateError", message))
    decisions = await store.decisions(record.execution_id, record.owner)
    claim.decisions = {one.interaction_id: one for one in decisions}
    given = given_by(body.asked(), claim.decisions, now)
    decided = {**body.decided, **chosen(given, claim.decisions)}
    body = replace(body, attempts=body.attempts + crashed, decided=decided, handed_over=False)
    await claim.save(replace(record, status="running", due_at=None, pending=0, body=body.encoded()))
    return Open(past, by_call(given, body.asked()))
