"""What the state store keeps about an execution beside its journal: who runs it, what waits, what came out.

Rules:
- Times are milliseconds since 1970 everywhere in `proxy.executions`, and seconds in the state store. They are converted
  here and nowhere else.
- The names in stored JSON are those that earlier versions wrote, so that servers of both versions can share a store
  while they are replaced: `expires_at` is stored in milliseconds, whatever a field is called here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from integrations.base import JsonObject
from integrations.conversation import ElicitAction
from integrations.json_text import read_json, write_kept
from proxy.executions.interactions import ExecutionView, Interaction, InteractionDecision, Pending, Via
from proxy.executions.machine.journal import AskedBy
from proxy.executions.result import (
    TEXT_CHARACTERS,
    WAITING,
    CallEntry,
    ExecutionError,
    ExecutionRequest,
    ExecutionResult,
)
from proxy.principal import Principal
from proxy.state import DecisionRecord, Entry, ExecutionRecord, Owner

DAY_MS: Final = 86_400_000.0
# A decision made in the last second must not vanish before a driver that is on its way has read it.
_GRACE_MS: Final = 60_000.0


# ---- the body of an index record -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ExecutionBody:
    """The encrypted part of an index record. `decided` are answers that were carried out, by interaction.

    `used_ms` is the time spent so far, without pauses; `attempts` counts the times that a crash was recovered from;
    `handed_over`: the process that drove it last has left it in good order. `pauses`: how many there were.
    `by_person`: the ones of `decided` that a person is known to have decided. `code` is kept beyond the journal for
    whoever may see the execution; empty in records of earlier versions. `runs`: what was seen of each run that is over,
    for people; the last ones of very many.
    """

    principal: JsonObject
    request: JsonObject
    code_sha256: str
    interactions: tuple[JsonObject, ...] = ()
    decided: Mapping[str, ElicitAction] = field(default_factory=dict)
    result: JsonObject | None = None
    used_ms: float = 0.0
    attempts: int = 0
    handed_over: bool = False
    pauses: int = 0
    by_person: tuple[str, ...] = ()
    code: str = ""
    runs: tuple[JsonObject, ...] = ()

    def encoded(self) -> bytes:
        """As JSON."""
        return write_kept(self)

    def asked(self) -> tuple[Interaction, ...]:
        """The questions that wait, or waited last."""
        return tuple(_interaction(one) for one in self.interactions)

    def who(self) -> Principal:
        """The caller as it was when the execution began."""
        body = dict(self.principal)
        return Principal(**{**body, "groups": frozenset(body["groups"]), "scopes": frozenset(body["scopes"])})

    def asked_for(self) -> ExecutionRequest:
        """The request, without its code: what a run replays is in the journal."""
        return ExecutionRequest(code="", **self.request)

    def outcome(self) -> ExecutionResult:
        """The result as last stored."""
        assert self.result is not None
        return unpacked(self.result)


def body_of(record: ExecutionRecord) -> ExecutionBody:
    """The opposite of `ExecutionBody.encoded`. What a later version keeps beside it is passed over."""
    known = ExecutionBody.__slots__
    raw = {name: value for name, value in read_json(record.body).items() if name in known}
    lists = {name: tuple(raw.get(name, ())) for name in ("interactions", "by_person", "runs")}
    return ExecutionBody(**{**raw, **lists})


def new_body(request: ExecutionRequest, principal: Principal, code_sha256: str) -> ExecutionBody:
    """What is known at the start. Of claims only id and end of a signed key are kept, which may be revoked."""
    kept = {name: principal.claims[name] for name in ("jti", "exp") if "jti" in principal.claims}
    who = {
        "workspace_id": principal.workspace_id,
        "account_id": principal.account_id,
        "kind": principal.kind,
        "groups": sorted(principal.groups),
        "scopes": sorted(principal.scopes),
        **({"claims": kept} if kept else {}),
    }
    asked = {
        "timeout_ms": request.timeout_ms,
        "runtime_id": request.runtime_id,
        "session_id": request.session_id,
        "metadata": dict(request.metadata),
        "mode": request.mode,
        "keep": request.keep,
        # Earlier versions do not know it: it is not there where it says nothing.
        **({"unattended": True} if request.unattended else {}),
    }
    return ExecutionBody(who, asked, code_sha256, code=request.code)


def stored(question: Interaction) -> JsonObject:
    """A question as plain JSON."""
    body = asdict(question)
    body["expires_at"] = body.pop("expires_at_ms")
    return body


def _interaction(body: JsonObject) -> Interaction:
    """The opposite of `stored`."""
    read = {**body, "rule": AskedBy(**body["rule"]), "seqs": tuple(body["seqs"])}
    read["expires_at_ms"] = read.pop("expires_at")
    return Interaction(**read)


def packed(result: ExecutionResult) -> JsonObject:
    """A result as plain JSON; its text is kept as far as it is ever shown."""
    body = {one.name: getattr(result, one.name) for one in fields(result)}
    body["expires_at"] = body.pop("expires_at_ms")
    error = result.error
    return body | {
        "result_text": result.result_text[: TEXT_CHARACTERS + 1],
        "error": asdict(error) if error is not None else None,
        "calls": [{"path": one.path, "ok": one.ok, "code": one.code, "ms": one.ms} for one in result.calls],
        "interactions": [stored(one) for one in result.interactions],
    }


def unpacked(body: JsonObject) -> ExecutionResult:
    """The opposite of `packed`."""
    read: dict[str, Any] = dict(body)
    read["expires_at_ms"] = read.pop("expires_at")
    read["error"] = ExecutionError(**read["error"]) if read["error"] is not None else None
    read["calls"] = tuple(CallEntry(**one) for one in read["calls"])
    read["interactions"] = tuple(_interaction(one) for one in read["interactions"])
    read["logs"] = tuple((level, text) for level, text in read["logs"])
    read["emitted"] = tuple(read["emitted"])
    return ExecutionResult(**read)


# ---- index records -------------------------------------------------------------------------------------------------
def new_record(
    execution_id: str, principal: Principal, body: ExecutionBody, now_ms: float, ttl_ms: float
) -> ExecutionRecord:
    """The record of an execution that begins now; nothing is stored yet."""
    return ExecutionRecord(
        execution_id=execution_id,
        owner=Owner(principal.workspace_id, principal.account_id),
        status="running",
        created_at=now_ms / 1000,
        expires_at=(now_ms + ttl_ms) / 1000,
        body=body.encoded(),
        session_id=body.request["session_id"],
    )


def running_record(record: ExecutionRecord, body: ExecutionBody) -> ExecutionRecord:
    """It runs; nothing waits for a decision."""
    return replace(record, status="running", due_at=None, pending=0, body=body.encoded())


def paused_record(
    record: ExecutionRecord, body: ExecutionBody, asked: Sequence[Interaction]
) -> ExecutionRecord:
    """It waits until its last question has expired."""
    due_ms = max(one.expires_at_ms for one in asked)
    return replace(
        record,
        status="paused",
        due_at=due_ms / 1000,
        expires_at=max(record.expires_at, (due_ms + _GRACE_MS) / 1000),
        pending=len(asked),
        body=body.encoded(),
    )


def settled_record(record: ExecutionRecord, body: ExecutionBody) -> ExecutionRecord:
    """It is over."""
    return replace(record, status="settled", due_at=None, pending=0, body=body.encoded())


def is_due(record: ExecutionRecord, now_ms: float) -> bool:
    """Whether the time in which somebody could decide is up."""
    return record.due_at is not None and record.due_at * 1000 <= now_ms


def view(record: ExecutionRecord) -> ExecutionView:
    """One execution for its owner or an approver."""
    body = body_of(record)
    result = body.outcome() if body.result is not None else None
    status = (
        "running" if record.status == "running" else result.status if result is not None else record.status
    )
    over = result is not None and status not in WAITING and record.status == "settled"
    return ExecutionView(
        id=record.execution_id,
        status=status,
        workspace_id=record.owner.workspace_id,
        account_id=record.owner.account_id,
        session_id=record.session_id,
        mode=body.request["mode"],
        created_at_ms=record.created_at * 1000,
        expires_at_ms=record.expires_at * 1000,
        code_sha256=body.code_sha256,
        interactions=body.asked() if record.status == "paused" else (),
        decided=dict(body.decided),
        calls=tuple(call.as_json() for call in result.calls) if result is not None else (),
        result=result.structured() if result is not None and over else None,
        by_person=frozenset(body.by_person),
        code=body.code,
        metadata=body.request["metadata"],
        runs=body.runs,
    )


def pending(record: ExecutionRecord, question: Interaction, page_only: bool) -> Pending:
    """One of its questions, for a list of all that wait."""
    return Pending(
        execution_id=record.execution_id,
        account_id=record.owner.account_id,
        workspace_id=record.owner.workspace_id,
        session_id=record.session_id,
        created_at_ms=record.created_at * 1000,
        interaction=question,
        page_only=page_only,
    )


# ---- decisions and names -------------------------------------------------------------------------------------------
def decision_record(
    record: ExecutionRecord,
    question: Interaction,
    decision: InteractionDecision,
    by: str,
    via: Via,
    now_ms: float,
) -> DecisionRecord:
    """A decision as the store keeps it, until a little after its question has expired."""
    said = {"action": decision.action, "content": dict(decision.content), "by": by, "via": via, "at": now_ms}
    return DecisionRecord(
        execution_id=record.execution_id,
        interaction_id=question.id,
        owner=record.owner,
        binding=question.binding,
        expires_at=min(record.expires_at, (question.expires_at_ms + _GRACE_MS) / 1000),
        body=write_kept(said),
    )


def by_person(decision: DecisionRecord) -> bool:
    """Whether a person is known to have decided: on the page, in a dialogue, or with an account that did not ask."""
    said = read_json(decision.body)
    by = said.get("by", decision.owner.account_id)
    return said.get("via") in ("browser", "native") or by != decision.owner.account_id


def day_entry(kind: str, workspace_id: str, key: str, value: bytes, now_ms: float) -> Entry:
    """Something new that is kept under a name for a day."""
    return Entry(kind, workspace_id, key, value, 0, (now_ms + DAY_MS) / 1000)
