"""What a line of the audit trail says. Values; `as_json` gives the fields in the order in which people read them.

Every line begins with `seq, time, prev, event` (see `chain`) and the `config` that was in force. Fields without a
value are left out. Durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


class AuditEvent(Protocol):
    """One thing that happened."""

    name: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        """The fields of the line, without those that every line has."""
        ...


@dataclass(frozen=True, slots=True)
class Who:
    """A principal. `kind` is key, user, anonymous or local."""

    workspace: str
    account: str
    kind: str = ""
    groups: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "workspace": self.workspace,
                "account": self.account,
                "kind": self.kind,
                "groups": list(self.groups),
            }
        )


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """An execution ended. `lost` says how its worker died, if it did; `metadata` is the caller's own. `code_sha256` and
    `code` are empty where the config does not want them shown."""

    name: ClassVar[str] = "execution"
    who: Who
    execution_id: str
    session_id: str | None
    status: str
    code_sha256: str
    calls: int
    duration_ms: float
    lost: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "who": self.who.as_json(),
                "executionId": self.execution_id,
                "sessionId": self.session_id,
                "status": self.status,
                "codeSha256": self.code_sha256,
                "code": self.code,
                "calls": self.calls,
                "durationMs": round(self.duration_ms, 3),
                "lost": self.lost,
                "metadata": dict(self.metadata),
            }
        )


@dataclass(frozen=True, slots=True)
class CallEvent:
    """An inner call ended, was refused, or was held for a person (`code` approval_required).

    `arguments` is what `Redaction` makes of them. `decision` names action, rule and `file:line`; None where nothing
    was decided because no such tool is there. `definition` is the digest of the tool's definition.
    """

    name: ClassVar[str] = "call"
    who: Who
    execution_id: str
    session_id: str | None
    call: int
    path: str
    address: str | None
    ok: bool
    code: str | None
    duration_ms: float
    arguments: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    definition: str | None = None
    bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "who": self.who.as_json(),
                "executionId": self.execution_id,
                "sessionId": self.session_id,
                "call": self.call,
                "address": self.address,
                "path": self.path if self.path != self.address else None,
                "ok": self.ok,
                "code": self.code,
                "decision": self.decision,
                "arguments": self.arguments,
                "definition": self.definition,
                "durationMs": round(self.duration_ms, 3),
                "bytes": self.bytes,
            }
        )


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """Somebody decided, or tried to: `who`, in the way `via`. `refused` says why it did not count."""

    name: ClassVar[str] = "approval"
    who: Who
    execution_id: str
    interaction_id: str
    action: str
    via: str
    owner: str
    address: str | None = None
    arguments_digest: str | None = None
    refused: str | None = None

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "who": self.who.as_json(),
                "executionId": self.execution_id,
                "interactionId": self.interaction_id,
                "action": self.action,
                "via": self.via,
                "owner": self.owner,
                "address": self.address,
                "argumentsDigest": self.arguments_digest,
                "refused": self.refused,
            }
        )


@dataclass(frozen=True, slots=True)
class ReloadEvent:
    """The config was read again. `outcome` is applied, unchanged or rejected; `errors` are at most ten lines."""

    name: ClassVar[str] = "reload"
    outcome: str
    trigger: str
    generation: int
    errors: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "outcome": self.outcome,
                "trigger": self.trigger,
                "generation": self.generation,
                "errors": list(self.errors),
            }
        )


@dataclass(frozen=True, slots=True)
class DriftEvent:
    """A tool is not as it was reviewed (`kind` changed, new or gone), or is again (resolved). `enforced`: it is held
    back."""

    name: ClassVar[str] = "tool_drift"
    address: str
    kind: str
    parts: tuple[str, ...] = ()
    enforced: bool = False

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "address": self.address,
                "kind": self.kind,
                "parts": list(self.parts),
                "held": self.enforced and self.kind in ("changed", "new"),
            }
        )


@dataclass(frozen=True, slots=True)
class AuthFailureEvent:
    """Somebody was not let in. Nothing of what they presented is kept. `workspace`: the one that was asked for;
    `account`: whose credential it was, where that is known."""

    name: ClassVar[str] = "auth_failure"
    status: int
    message: str
    peer: str
    workspace: str | None = None
    account: str | None = None

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {
                "status": self.status,
                "message": self.message,
                "peer": self.peer,
                "workspace": self.workspace,
                "account": self.account,
            }
        )


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """Somebody changed the MCP servers of a workspace at run time, or tried to: `action` is register, remove, connect,
    disconnect, sign_in (begun), signed_in or sign_out. `refused` says why it did not count."""

    name: ClassVar[str] = "server"
    who: Who
    action: str
    server: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return _filled(
            {"who": self.who.as_json(), "action": self.action, "server": self.server, **self.details}
        )


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}
