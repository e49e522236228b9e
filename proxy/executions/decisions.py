"""Who may see, list and decide what (T12, T14). Decisions are only recorded here: whoever drives carries them out.

Rules:
- An execution is visible to the account that ran it and to approvers of its workspace; to anybody else it is not there.
- Where a person is to decide (elicitation mode browser or native, of the execution or of the config), nothing that the
  asking account sends by machine is a decision, and nothing at all that comes through MCP: only what it says on the
  page or in the client's own dialogue, or what another account says.
- A rule with `approver: human` is never satisfied by the account that asked, whatever the route. Through MCP nobody can
  satisfy it, not even in the client's own dialogue: nothing declares that another person sits there.
- Apart from that, declining is open to everybody who may see the execution.
- The first decision on an interaction stands. The same one again, from whomever, is no error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from integrations.conversation import ElicitAction
from integrations.json_text import is_too_deep, read_json
from proxy.executions.context import MillisecondClock
from proxy.executions.interactions import (
    DecideOutcome,
    DecisionRefusal,
    ExecutionPage,
    Interaction,
    InteractionDecision,
    Pending,
    Via,
)
from proxy.executions.machine.elicitation import problem_of, read_content
from proxy.executions.machine.events import LOST_CALL_OUTCOMES
from proxy.executions.records import (
    ExecutionBody,
    body_of,
    by_person,
    decision_record,
    is_due,
    pending,
    view,
)
from proxy.principal import Principal
from proxy.state import DecisionRecord, ExecutionQuery, ExecutionRecord, Owner, State
from proxy.state.records import ExecutionStatus

ALL: Final = "*"
_STATUSES: Final[tuple[ExecutionStatus, ...]] = get_args(ExecutionStatus)
_LARGEST_PAGE: Final = 200
_MOST_PENDING: Final = 500


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """Somebody decided about one interaction, or tried to, for audit. `refused` says why it did not count, `age_ms` how
    long ago the execution began."""

    execution_id: str
    interaction_id: str
    owner: Owner
    decider: Principal
    action: ElicitAction
    via: Via
    address: str | None
    arguments_digest: str | None
    refused: DecisionRefusal | None
    age_ms: float = 0.0


OnDecision = Callable[[DecisionReport], None]


class Decisions:
    """Looks executions up and takes decisions. `is_approver`: may this caller decide for others in its workspace?
    `person_decides`: does the config want a person to decide in this workspace?

    `on_decision` hears of every decision that was taken or refused, and must not block.
    """

    def __init__(
        self,
        store: State,
        clock: MillisecondClock,
        is_approver: Callable[[Principal], bool],
        on_decision: OnDecision | None = None,
        person_decides: Callable[[str], bool] = lambda workspace_id: False,
    ) -> None:
        self._store = store
        self._is_approver = is_approver
        self._clock = clock
        self._on_decision = on_decision
        self._person_decides = person_decides

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

    async def answers(self, record: ExecutionRecord) -> dict[str, ElicitAction]:
        """What was decided, by interaction: carried out already, or recorded and waiting for a driver."""
        answers: dict[str, ElicitAction] = dict(body_of(record).decided)
        if record.status == "paused":
            for one in await self._store.decisions(record.execution_id, record.owner):
                answers[one.interaction_id] = read_json(one.body)["action"]
        return answers

    async def said_by_people(self, record: ExecutionRecord) -> dict[str, ElicitAction]:
        """Those of `answers` that a person is known to have given."""
        body = body_of(record)
        said: dict[str, ElicitAction] = {
            name: body.decided[name] for name in body.by_person if name in body.decided
        }
        if record.status == "paused":
            for one in await self._store.decisions(record.execution_id, record.owner):
                if by_person(one):
                    said[one.interaction_id] = read_json(one.body)["action"]
        return said

    def page_only(self, record: ExecutionRecord, decider: Principal, via: Via) -> bool:
        """Whether this caller decides about it on the approval page only."""
        asks_person: bool = body_of(record).request["mode"] != "model"
        if via == "mcp":
            # What the config says is not asked: the mode of an execution is what its client was allowed to choose.
            return asks_person
        own = decider.account_id == record.owner.account_id
        return (
            own
            and via in ("rest", "cli")
            and (asks_person or self._person_decides(record.owner.workspace_id))
        )

    async def decide(
        self,
        record: ExecutionRecord,
        decisions: Mapping[str, InteractionDecision],
        decider: Principal,
        via: Via,
    ) -> DecideOutcome:
        """Record what may be recorded. The caller has looked `record` up for this decider."""
        body = body_of(record)
        if record.status != "paused":
            outcome = _repeated(body, decisions)
            # Nothing waits now; whoever asks for the next result joins.
            return outcome if record.status == "settled" or outcome.why is None else DecideOutcome()
        asked = {one.id: one for one in body.asked()}
        stored = await self._store.decisions(record.execution_id, record.owner)
        before = {(one.interaction_id, one.binding): one for one in stored}
        wanted = _for_each(decisions, asked)
        taken: dict[str, ElicitAction] = {}
        refused: dict[str, DecisionRefusal] = {}
        for name, decision in wanted.items():
            question = asked.get(name)
            known = before.get((name, question.binding)) if question is not None else None
            if known is not None:
                refusal = _standing(decision, known)
            elif question is not None:
                refusal = await self._one(record, question, decision, decider, via)
            else:
                refusal = _unknown(body, name, decision)
            if refusal is None:
                taken[name] = decision.action
            else:
                refused[name] = refusal
            if known is None or refusal is not None:
                # Who only agrees with a decision has not made it.
                self._tell(record, name, question, decision, decider, via, refusal)
        return DecideOutcome(taken, refused, None if wanted else "already_decided")

    def _tell(
        self,
        record: ExecutionRecord,
        interaction_id: str,
        question: Interaction | None,
        decision: InteractionDecision,
        decider: Principal,
        via: Via,
        refusal: DecisionRefusal | None,
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
                age_ms=self._clock() - record.created_at * 1000,
            )
        )

    async def _one(
        self,
        record: ExecutionRecord,
        question: Interaction,
        decision: InteractionDecision,
        decider: Principal,
        via: Via,
    ) -> DecisionRefusal | None:
        if question.kind == "form":
            decision = replace(decision, content=read_content(question.requested_schema, decision.content))
        refusal = self._why_not(record, question, decision, decider, via)
        if refusal is not None:
            return refusal
        stored = await self._store.decide(
            decision_record(record, question, decision, decider.account_id, via, self._clock())
        )
        return "not_found" if stored is None else _standing(decision, stored)

    def _why_not(
        self,
        record: ExecutionRecord,
        question: Interaction,
        decision: InteractionDecision,
        decider: Principal,
        via: Via,
    ) -> DecisionRefusal | None:
        if question.expires_at_ms <= self._clock():
            return "expired"
        if self.page_only(record, decider, via):
            return "needs_approval_page"
        if is_too_deep(dict(decision.content)):
            return "wrong_content"
        if decision.action != "accept":
            return None
        if question.kind == "form" and problem_of(question.requested_schema, decision.content):
            return "wrong_content"
        if question.kind == "outcome_unknown" and decision.content.get("outcome") not in LOST_CALL_OUTCOMES:
            return "needs_content"
        if question.approver == "human" and not self._is_person(record, decider, via):
            return "needs_another_person"
        return None

    def _is_person(self, record: ExecutionRecord, decider: Principal, via: Via) -> bool:
        other = decider.account_id != record.owner.account_id
        return via not in ("mcp", "native") and other and self._is_approver(decider)


def _standing(decision: InteractionDecision, stored: DecisionRecord) -> DecisionRefusal | None:
    """A decision about what is decided already. Without content it only has to agree."""
    kept = read_json(stored.body)
    same = kept["action"] == decision.action and decision.content in ({}, kept["content"])
    return None if same else "already_decided"


def _for_each(
    decisions: Mapping[str, InteractionDecision], asked: Mapping[str, Interaction]
) -> dict[str, InteractionDecision]:
    """`*` stands for every question that waits and is not named."""
    wanted = {name: one for name, one in decisions.items() if name != ALL}
    if ALL in decisions:
        wanted |= {name: decisions[ALL] for name in asked if name not in wanted}
    return wanted


def _unknown(
    body: ExecutionBody, interaction_id: str, decision: InteractionDecision
) -> DecisionRefusal | None:
    """An interaction that does not wait: fine when it was decided in the same way before."""
    before = body.decided.get(interaction_id)
    if before is None:
        return "not_found"
    return None if before == decision.action else "already_decided"


def _repeated(body: ExecutionBody, decisions: Mapping[str, InteractionDecision]) -> DecideOutcome:
    """No question waits: the decisions that were carried out may be repeated, others come too late."""
    names = {name for name in decisions if name != ALL} or set(body.decided)
    taken: dict[str, ElicitAction] = {}
    refused: dict[str, DecisionRefusal] = {}
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


# ---- lists ---------------------------------------------------------------------------------------------------------
class Listing:
    """What a caller may see: its own, or all of the workspace for approvers."""

    def __init__(self, store: State, decisions: Decisions, clock: MillisecondClock) -> None:
        self._store = store
        self._decisions = decisions
        self._clock = clock

    async def page(
        self, principal: Principal, status: str | None, limit: int, cursor: str | None
    ) -> ExecutionPage:
        """Newest first. `status`: running, paused or settled; `cursor`: the last one of the page before."""
        query = ExecutionQuery(
            workspace_id=principal.workspace_id,
            account_id=self._account(principal),
            status=next((one for one in _STATUSES if one == status), None),
            before=await self._decisions.find(cursor, principal) if cursor is not None else None,
            limit=max(1, min(limit, _LARGEST_PAGE)),
        )
        found = await self._store.list_executions(query)
        more = found[-1].execution_id if len(found) == query.limit else None
        return ExecutionPage(tuple(view(one) for one in found), more)

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        """Every question that nobody has answered, oldest first."""
        query = ExecutionQuery(
            principal.workspace_id, self._account(principal), status="paused", limit=_MOST_PENDING
        )
        now = self._clock()
        found: list[Pending] = []
        for record in await self._store.list_executions(query):
            answered = await self._decisions.answers(record)
            found += [
                pending(record, one, self._decisions.page_only(record, principal, "rest"))
                for one in body_of(record).asked()
                if one.expires_at_ms > now and one.id not in answered
            ]
        return tuple(sorted(found, key=lambda one: one.created_at_ms))

    def _account(self, principal: Principal) -> str | None:
        return None if self._decisions.everything(principal) else principal.account_id


# ---- whether something was decided ---------------------------------------------------------------------------------
async def can_continue(store: State, record: ExecutionRecord, now_ms: float) -> bool:
    """Whether a paused execution can be continued: something was decided, or time is up."""
    if is_due(record, now_ms):
        return True
    return await any_decided(store, record.execution_id, record.owner, body_of(record).asked())


async def any_decided(store: State, execution_id: str, owner: Owner, asked: Iterable[Interaction]) -> bool:
    """Whether one of these questions has a decision."""
    ids = {one.id for one in asked}
    return any(one.interaction_id in ids for one in await store.decisions(execution_id, owner))
