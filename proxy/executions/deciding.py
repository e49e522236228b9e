"""Who may see and decide what (T12, T14). Decisions are only recorded here: whoever drives carries them out.

Rules:
- An execution is visible to the account that ran it and to approvers of its workspace; to anybody else it is not there.
- A rule with `approver: human` is never satisfied by the account that asked, whatever the route. Through MCP nobody can
  satisfy it, not even in the client's own dialogue: nothing declares that another person sits there.
- Declining is open to everybody who may see the execution.
- The first decision on an interaction stands. The same one again is no error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from proxy.executions.approvals import Choice, DecideOutcome, Decision, Interaction, Refusal, Via
from proxy.executions.inputs import problem_of
from proxy.executions.records import Body, body_of
from proxy.principal import Principal
from proxy.state import Decision as Stored
from proxy.state import ExecutionRecord, Owner, State

ALL: Final = "*"
_OUTCOMES: Final = frozenset({"retry", "done", "fail"})
# A decision made in the last second must not vanish before a driver that is on its way has read it.
_GRACE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """Somebody decided about one interaction, or tried to, for audit. `refused` says why it did not count."""

    execution_id: str
    interaction_id: str
    owner: Owner
    decider: Principal
    action: Choice
    via: Via
    address: str | None
    arguments_digest: str | None
    refused: Refusal | None


OnDecision = Callable[[DecisionReport], None]


class Desk:
    """Looks executions up and takes decisions. `is_approver`: may this caller decide for others in its workspace?

    `on_decision` hears of every decision that was taken or refused, and must not block.
    """

    def __init__(
        self,
        store: State,
        is_approver: Callable[[Principal], bool],
        clock: Callable[[], float],
        on_decision: OnDecision | None = None,
    ) -> None:
        self._store = store
        self._is_approver = is_approver
        self._clock = clock
        self._on_decision = on_decision

    async def find(self, execution_id: str, principal: Principal) -> ExecutionRecord | None:
        """The record, if this caller may know of it."""
        record = await self._store.find_execution(execution_id, principal.workspace_id)
        return record if record is not None and self.sees(record, principal) else None

    def sees(self, record: ExecutionRecord, principal: Principal) -> bool:
        """Whether the caller ran it, or may decide for others."""
        if record.owner.workspace_id != principal.workspace_id:
            return False
        return record.owner.account_id == principal.account_id or self._is_approver(principal)

    def everything(self, principal: Principal) -> bool:
        """Whether the caller sees all executions of its workspace."""
        return self._is_approver(principal)

    async def answers(self, record: ExecutionRecord) -> dict[str, Choice]:
        """What was decided, by interaction: carried out already, or recorded and waiting for a driver."""
        answers: dict[str, Choice] = dict(body_of(record).decided)
        if record.status == "paused":
            for one in await self._store.decisions(record.execution_id, record.owner):
                answers[one.interaction_id] = orjson.loads(one.body)["action"]
        return answers

    async def decide(
        self, record: ExecutionRecord, decisions: Mapping[str, Decision], decider: Principal, via: Via
    ) -> DecideOutcome:
        """Record what may be recorded. The caller has looked `record` up for this decider."""
        body = body_of(record)
        if record.status != "paused":
            outcome = _repeated(body, decisions)
            # Nothing waits now; whoever asks for the next result joins.
            return outcome if record.status == "settled" or outcome.why is None else DecideOutcome()
        asked = {one.id: one for one in body.asked()}
        wanted = _spelled_out(decisions, asked)
        taken: dict[str, Choice] = {}
        refused: dict[str, Refusal] = {}
        for interaction_id, decision in wanted.items():
            question = asked.get(interaction_id)
            refusal = (
                _unknown(body, interaction_id, decision)
                if question is None
                else await self._one(record, question, decision, decider, via)
            )
            if refusal is None:
                taken[interaction_id] = decision.action
            else:
                refused[interaction_id] = refusal
            self._tell(record, interaction_id, question, decision, decider, via, refusal)
        return DecideOutcome(taken, refused, None if wanted else "already_decided")

    def _tell(
        self,
        record: ExecutionRecord,
        interaction_id: str,
        question: Interaction | None,
        decision: Decision,
        decider: Principal,
        via: Via,
        refusal: Refusal | None,
    ) -> None:
        if self._on_decision is None:
            return
        self._on_decision(
            DecisionReport(
                execution_id=record.execution_id,
                interaction_id=interaction_id,
                owner=record.owner,
                decider=decider,
                action=decision.action,
                via=via,
                address=question.address if question is not None else None,
                arguments_digest=question.args_digest if question is not None else None,
                refused=refusal,
            )
        )

    async def _one(
        self, record: ExecutionRecord, question: Interaction, decision: Decision, decider: Principal, via: Via
    ) -> Refusal | None:
        refusal = self._why_not(record, question, decision, decider, via)
        if refusal is not None:
            return refusal
        said = {"action": decision.action, "content": dict(decision.content)}
        who = {"by": decider.account_id, "via": via, "at": self._clock()}
        stored = await self._store.decide(
            Stored(
                execution_id=record.execution_id,
                interaction_id=question.id,
                owner=record.owner,
                binding=question.binding,
                expires_at=min(record.expires_at, question.expires_at / 1000 + _GRACE_SECONDS),
                body=orjson.dumps(said | who),
            )
        )
        if stored is None:
            return "not_found"
        kept = orjson.loads(stored.body)
        same = (kept["action"], kept["content"]) == (decision.action, dict(decision.content))
        return None if same else "already_decided"

    def _why_not(
        self, record: ExecutionRecord, question: Interaction, decision: Decision, decider: Principal, via: Via
    ) -> Refusal | None:
        if question.expires_at <= self._clock():
            return "expired"
        if decision.action != "accept":
            return None
        if question.kind == "form" and problem_of(question.requested_schema, decision.content):
            return "wrong_content"
        if question.kind == "outcome_unknown" and decision.content.get("outcome") not in _OUTCOMES:
            return "needs_content"
        if question.approver == "human" and not self._is_person(record, decider, via):
            return "needs_another_person"
        return None

    def _is_person(self, record: ExecutionRecord, decider: Principal, via: Via) -> bool:
        other = decider.account_id != record.owner.account_id
        return via not in ("mcp", "native") and other and self._is_approver(decider)


def _spelled_out(decisions: Mapping[str, Decision], asked: Mapping[str, Interaction]) -> dict[str, Decision]:
    """`*` stands for every question that waits and is not named."""
    wanted = {name: one for name, one in decisions.items() if name != ALL}
    if ALL in decisions:
        wanted |= {name: decisions[ALL] for name in asked if name not in wanted}
    return wanted


def _unknown(body: Body, interaction_id: str, decision: Decision) -> Refusal | None:
    """An interaction that does not wait: fine when it was decided in the same way before."""
    before = body.decided.get(interaction_id)
    if before is None:
        return "not_found"
    return None if before == decision.action else "already_decided"


def _repeated(body: Body, decisions: Mapping[str, Decision]) -> DecideOutcome:
    """No question waits: the decisions that were carried out may be repeated, others come too late."""
    names = {name for name in decisions if name != ALL} or set(body.decided)
    taken: dict[str, Choice] = {}
    refused: dict[str, Refusal] = {}
    for name in names:
        wanted = decisions.get(name) or decisions[ALL]
        refusal = _unknown(body, name, wanted)
        if refusal is None:
            taken[name] = wanted.action
        else:
            refused[name] = refusal
    if ALL in decisions and taken:
        refused = {}
    return DecideOutcome(taken, refused, None if taken or refused else "already_decided")
