"""What people are asked, what they answer, and what they may look at. Values only.

    Interaction      one question, which may stand for several identical calls
    Decision         the answer to one
    DecideOutcome    which answers were taken, and why others were not
    ExecutionView    one execution as its owner, or an approver, may see it

Everything in an `Interaction` that came from agent code is rendered inert before it gets here (T10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal

JsonObject = dict[str, Any]
Via = Literal["mcp", "browser", "native", "rest", "cli"]
Choice = Literal["accept", "decline", "cancel"]
Kind = Literal["approval", "outcome_unknown", "form", "url"]
CHOICES: Final[tuple[Choice, ...]] = ("accept", "decline", "cancel")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AskedBy:
    """The rule that asks. `source` is `file:line`; `pattern` is None for an integration's default."""

    id: str
    source: str
    pattern: str | None = None
    reason: str | None = None

    def as_json(self) -> JsonObject:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Interaction:
    """One question. Times are milliseconds since 1970; `seqs` are the calls it stands for.

    `message` is the whole question as inert text, `args` the canonical arguments as inert JSON text (at most 4,000
    characters, longer values folded with size and digest). `approver` human: the account that runs the code cannot
    answer it. `binding` is the digest of all that an approval is bound to.
    """

    id: str
    kind: Kind
    message: str
    address: str
    summary: str
    args: str
    args_digest: str
    args_bytes: int
    rule: AskedBy
    approver: Literal["model", "human"]
    expires_at: float
    seqs: tuple[int, ...]
    binding: str = ""
    requested_schema: Mapping[str, Any] | None = None
    url: str | None = None

    def as_json(self) -> JsonObject:
        """As clients see it (execute design, section 7)."""
        body: JsonObject = {
            "id": self.id,
            "kind": self.kind,
            "message": self.message,
            "address": self.address,
            "args": self.args,
            "argsDigest": self.args_digest,
            "argsBytes": self.args_bytes,
            "rule": self.rule.as_json(),
            "approver": self.approver,
            "calls": len(self.seqs),
            "expiresAt": iso(self.expires_at),
        }
        if self.requested_schema is not None:
            body["requestedSchema"] = dict(self.requested_schema)
        if self.url is not None:
            body["url"] = self.url
        return body

    def stored(self) -> JsonObject:
        """As the state store keeps it."""
        return asdict(self)

    @classmethod
    def restored(cls, body: JsonObject) -> Interaction:
        """The opposite of `stored`."""
        return cls(**{**body, "rule": AskedBy(**body["rule"]), "seqs": tuple(body["seqs"])})


@dataclass(frozen=True, slots=True)
class Decision:
    """`content` matters to forms, and to `outcome_unknown`: `{"outcome": "retry" | "done" | "fail"}`."""

    action: Choice
    content: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


Refusal = Literal[
    "not_found",
    "forbidden",
    "expired",
    "already_decided",
    "needs_another_person",
    "needs_content",
    "wrong_content",
]
REFUSALS: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        "not_found": "There is no such execution or interaction.",
        "forbidden": "Only the account that ran it, or one with the approver role, may decide.",
        "expired": "It has expired and was not sent. Run the code again.",
        "already_decided": "It has been decided otherwise already; a decision is final.",
        "needs_another_person": (
            "A rule demands that another person approves this. It cannot be approved here by the account that asked "
            "for it: somebody with the approver role must do it on the approval page or with `executor approvals`."
        ),
        "needs_content": 'This needs an answer: {"outcome": "retry"}, {"outcome": "done"} or {"outcome": "fail"}.',
        "wrong_content": "The content does not fit the form: accept with `content` as `requestedSchema` says.",
    }
)
"""Why a decision was not taken, in words for whoever tried."""


@dataclass(frozen=True, slots=True)
class DecideOutcome:
    """`taken` and `refused` by interaction id; `why` is set when nothing could be looked at in the first place."""

    taken: Mapping[str, Choice] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    why: Refusal | None = None

    @property
    def first_refusal(self) -> Refusal | None:
        return self.why or next(iter(self.refused.values()), None)

    def message(self) -> str:
        """One sentence on what was not taken; empty when everything was."""
        refusal = self.first_refusal
        return REFUSALS[refusal] if refusal is not None else ""


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One execution. Times are milliseconds since 1970. `status` also knows `running`.

    `interactions` are those of its last pause; `decided` holds every answer, also those that no driver has carried out
    yet. `result` is the structured result when it is over.
    """

    id: str
    status: str
    workspace_id: str
    account_id: str
    session_id: str | None
    mode: str
    created: float
    expires: float
    code_sha256: str
    interactions: tuple[Interaction, ...] = ()
    decided: Mapping[str, Choice] = field(default_factory=dict)
    calls: tuple[JsonObject, ...] = ()
    result: JsonObject | None = None

    def as_json(self) -> JsonObject:
        body: JsonObject = {
            "executionId": self.id,
            "status": self.status,
            "workspaceId": self.workspace_id,
            "accountId": self.account_id,
            "sessionId": self.session_id,
            "mode": self.mode,
            "createdAt": iso(self.created),
            "expiresAt": iso(self.expires),
            "codeSha256": self.code_sha256,
            "interactions": [one.as_json() for one in self.interactions],
            "decided": dict(self.decided),
            "calls": list(self.calls),
            "result": self.result,
        }
        return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Pending:
    """One question that waits, with the execution it belongs to."""

    execution_id: str
    account_id: str
    workspace_id: str
    session_id: str | None
    created: float
    interaction: Interaction


@dataclass(frozen=True, slots=True)
class Page:
    """A page of executions, newest first. `cursor` asks for the next one."""

    items: tuple[ExecutionView, ...]
    cursor: str | None = None


def iso(milliseconds: float) -> str:
    """RFC 3339 in UTC."""
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
