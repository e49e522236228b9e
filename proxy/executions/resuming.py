"""`resume`: decide about what waits, then go on to the next result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from proxy.executions.answers import as_it_stands
from proxy.executions.approvals import REFUSALS, DecideOutcome, Decision, Refusal, Via
from proxy.executions.deciding import ALL, Desk
from proxy.executions.following import Following
from proxy.executions.outcome import ExecutionResult, Observer, unavailable
from proxy.executions.seen import Seen
from proxy.executions.topics import tell, topic
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner, State

_UNSEEN: Final = (
    "Nothing was decided: the execution has gone on to other questions since you last got its result. These are the "
    "ones that wait now; decide again if you mean them."
)
_STATUS_OF: Final[Mapping[Refusal, str]] = {
    "not_found": "execution_not_found",
    "forbidden": "execution_forbidden",
    "expired": "execution_expired",
    "already_decided": "execution_already_settled",
}


class Resuming:
    """Takes decisions, and tells whoever waits for them."""

    def __init__(self, store: State, desk: Desk, following: Following, seen: Seen) -> None:
        self._store = store
        self._desk = desk
        self._following = following
        self._seen = seen

    async def resume(
        self,
        execution_id: str,
        interaction_id: str | None,
        decision: Decision,
        principal: Principal,
        via: Via,
        observer: Observer,
    ) -> ExecutionResult:
        """The next result; the pause with a note when the decision was not taken."""
        # Judged and decided on one reading of the record: it may go on to another pause at any time.
        record = await self._desk.find(execution_id, principal)
        if record is None:
            return refused(execution_id, principal, DecideOutcome(why="not_found"), None)
        if interaction_id is None and not await self._seen.has(record, principal):
            result = await self._following.next(execution_id, principal, observer)
            return replace(result, note=_UNSEEN) if result.waiting else result
        outcome = await self.decide(record, {interaction_id or ALL: decision}, principal, via)
        if outcome.first_refusal is not None and not outcome.taken:
            record = await self._desk.find(execution_id, principal)
            standing = as_it_stands(record) if record is not None and record.status == "paused" else None
            return refused(execution_id, principal, outcome, standing)
        result = await self._following.next(execution_id, principal, observer)
        return replace(result, note=outcome.message()) if outcome.refused and result.waiting else result

    async def decide(
        self, record: ExecutionRecord, decisions: Mapping[str, Decision], decider: Principal, via: Via
    ) -> DecideOutcome:
        """Record decisions about what waits according to `record`."""
        outcome = await self._desk.decide(record, decisions, decider, via)
        if outcome.taken:
            await tell(self._store, topic(record.execution_id))
        return outcome


def refused(
    execution_id: str, principal: Principal, outcome: DecideOutcome, standing: ExecutionResult | None
) -> ExecutionResult:
    """What to answer to a decision that was not taken. `standing` is the pause, if there is one."""
    refusal = outcome.first_refusal or "not_found"
    status = _STATUS_OF.get(refusal)
    if status is None and standing is not None:
        return replace(standing, note=REFUSALS[refusal])
    owner = Owner(principal.workspace_id, principal.account_id)
    return unavailable(status or "execution_not_found", execution_id, owner)
