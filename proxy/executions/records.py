"""What the state store keeps about an execution beside its journal: who runs it, what waits, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import orjson

from proxy.executions.approvals import Choice, ExecutionView, Interaction, JsonObject
from proxy.executions.outcome import (
    TEXT_CHARACTERS,
    WAITING,
    CallEntry,
    ExecutionError,
    ExecutionRequest,
    ExecutionResult,
)
from proxy.principal import Principal
from proxy.state import ExecutionRecord


@dataclass(frozen=True, slots=True)
class Body:
    """The encrypted part of an index record. `decided` are answers that were carried out, by interaction.

    `used_ms` is the time spent so far, without pauses; `attempts` counts the times that a crash was recovered from;
    `handed_over`: the process that drove it last has left it in good order. `pauses`: how many there were.
    """

    principal: JsonObject
    request: JsonObject
    code_sha256: str
    interactions: tuple[JsonObject, ...] = ()
    decided: Mapping[str, Choice] = field(default_factory=dict)
    result: JsonObject | None = None
    used_ms: float = 0.0
    attempts: int = 0
    handed_over: bool = False
    pauses: int = 0

    def encoded(self) -> bytes:
        """As JSON."""
        return orjson.dumps(self)

    def asked(self) -> tuple[Interaction, ...]:
        """The questions that wait, or waited last."""
        return tuple(Interaction.restored(one) for one in self.interactions)

    def who(self) -> Principal:
        """The caller as it was when the execution began."""
        body = dict(self.principal)
        return Principal(**{**body, "groups": frozenset(body["groups"]), "scopes": frozenset(body["scopes"])})

    def asked_for(self) -> ExecutionRequest:
        """The request, without its code: that is in the journal."""
        return ExecutionRequest(code="", **self.request)

    def outcome(self) -> ExecutionResult:
        """The result as last stored."""
        assert self.result is not None
        return unpacked(self.result)


def body_of(record: ExecutionRecord) -> Body:
    """The opposite of `Body.encoded`."""
    raw = orjson.loads(record.body)
    return Body(**{**raw, "interactions": tuple(raw["interactions"])})


def new_body(request: ExecutionRequest, principal: Principal, code_sha256: str) -> Body:
    """What is known at the start. Claims of tokens are not kept."""
    who = {
        "workspace_id": principal.workspace_id,
        "account_id": principal.account_id,
        "kind": principal.kind,
        "groups": sorted(principal.groups),
        "scopes": sorted(principal.scopes),
    }
    asked = {
        "timeout_ms": request.timeout_ms,
        "runtime_id": request.runtime_id,
        "session_id": request.session_id,
        "metadata": dict(request.metadata),
        "mode": request.mode,
        "keep": request.keep,
    }
    return Body(who, asked, code_sha256)


def packed(result: ExecutionResult) -> JsonObject:
    """A result as plain JSON; its text is kept as far as it is ever shown."""
    body = {one.name: getattr(result, one.name) for one in fields(result)}
    error = result.error
    return body | {
        "result_text": result.result_text[: TEXT_CHARACTERS + 1],
        "error": asdict(error) if error is not None else None,
        "calls": [{"path": one.path, "ok": one.ok, "code": one.code, "ms": one.ms} for one in result.calls],
        "interactions": [one.stored() for one in result.interactions],
    }


def unpacked(body: JsonObject) -> ExecutionResult:
    """The opposite of `packed`."""
    read: dict[str, Any] = dict(body)
    read["error"] = ExecutionError(**read["error"]) if read["error"] is not None else None
    read["calls"] = tuple(CallEntry(**one) for one in read["calls"])
    read["interactions"] = tuple(Interaction.restored(one) for one in read["interactions"])
    read["logs"] = tuple((level, text) for level, text in read["logs"])
    read["emitted"] = tuple(read["emitted"])
    return ExecutionResult(**read)


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
        created=record.created_at * 1000,
        expires=record.expires_at * 1000,
        code_sha256=body.code_sha256,
        interactions=body.asked() if record.status == "paused" else (),
        decided=dict(body.decided),
        calls=tuple(call.as_json() for call in result.calls) if result is not None else (),
        result=result.structured() if result is not None and over else None,
    )


def with_time(result: ExecutionResult, used_ms: float) -> ExecutionResult:
    """The result with the time that all its parts took."""
    return replace(result, duration_ms=used_ms)
