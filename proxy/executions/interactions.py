"""What people are asked, what they answer, and what they may look at. Values only.

    Interaction           one question, which may stand for several identical calls
    InteractionDecision   the answer to one
    DecideOutcome         which answers were taken, and why others were not
    ExecutionView         one execution as its owner, or an approver, may see it

Everything in an `Interaction` that came from agent code is rendered inert before it gets here (T10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from integrations.base import JsonObject
from integrations.conversation import ElicitAction, ElicitationKind
from integrations.json_text import with_safe_integers
from policies.rules import Approver
from proxy.executions.code import asking_lines
from proxy.executions.machine.journal import AskedBy

Via = Literal["mcp", "browser", "native", "rest", "cli"]
QuestionKind = Literal["approval", "outcome_unknown"] | ElicitationKind
ELICIT_ACTIONS: Final[tuple[ElicitAction, ...]] = get_args(ElicitAction)
UNSAFE_SCHEMA: Final = (
    "Integers beyond 2^53 - 1 are strings in requestedSchema, because JavaScript clients would round them; content may "
    "hold them as strings, too."
)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Interaction:
    """One question. `seqs` are the calls it stands for; it expires at `expires_at_ms`, milliseconds since 1970.

    `message` is the whole question as inert text, `args` the canonical arguments as inert JSON text (at most 4,000
    characters, longer values folded with size and digest). `approver` human: the account that runs the code cannot
    answer it. `binding` is the digest of all that an approval is bound to.
    """

    id: str
    kind: QuestionKind
    message: str
    address: str
    summary: str
    args: str
    args_digest: str
    args_bytes: int
    rule: AskedBy
    approver: Approver
    expires_at_ms: float
    seqs: tuple[int, ...]
    binding: str = ""
    requested_schema: Mapping[str, Any] | None = None
    url: str | None = None

    def as_json(self) -> JsonObject:
        """As clients see it."""
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
            "expiresAt": iso(self.expires_at_ms),
        }
        if self.requested_schema is not None:
            schema = dict(self.requested_schema)
            body["requestedSchema"] = with_safe_integers(schema)
            if body["requestedSchema"] != schema:
                body["note"] = UNSAFE_SCHEMA
        if self.url is not None:
            body["url"] = self.url
        return body


@dataclass(frozen=True, slots=True)
class InteractionDecision:
    """`content` matters to forms, and to `outcome_unknown`: `{"outcome": "retry" | "done" | "fail"}`."""

    action: ElicitAction
    content: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


DecisionRefusal = Literal[
    "not_found",
    "forbidden",
    "expired",
    "already_decided",
    "needs_another_person",
    "needs_approval_page",
    "needs_content",
    "wrong_content",
]
REFUSALS: Final[Mapping[DecisionRefusal, str]] = MappingProxyType(
    {
        "not_found": "There is no such execution or interaction.",
        "forbidden": "Only the account that ran it, or one with the approver role, may decide.",
        "expired": "It has expired and was not sent. Run the code again.",
        "already_decided": "It has been decided otherwise already; a decision is final.",
        "needs_another_person": (
            "A rule demands that another person approves this. It cannot be approved here by the account that asked "
            "for it: somebody with the approver role must do it on the approval page or with `executor approvals`."
        ),
        "needs_approval_page": (
            "A person decides about this, so nothing was decided. The account that asked decides only on the approval "
            "page, where a person signs in; another account with the approver role also with `executor approvals` or "
            "over REST."
        ),
        "needs_content": 'This needs an answer: {"outcome": "retry"}, {"outcome": "done"} or {"outcome": "fail"}.',
        "wrong_content": "The content does not fit the form: accept with `content` as `requestedSchema` says.",
    }
)
"""Why a decision was not taken, in words for the one who tried."""


_PERSON_SAID: Final[Mapping[ElicitAction, str]] = MappingProxyType(
    {
        "accept": "A person approved this before you decided; that is final.",
        "decline": (
            "A person declined this, so it was not sent; that is final. Do not ask for the same again by running the "
            "code once more: tell the user."
        ),
        "cancel": "A person cancelled this, so it was not sent; that is final. Tell the user.",
    }
)


def overruled(said: Iterable[ElicitAction], action: str) -> str | None:
    """What to tell a caller who sent `action` after people had `said` otherwise; None when nobody had."""
    others = sorted(set(said) - {action}, key=ELICIT_ACTIONS.index, reverse=True)
    return _PERSON_SAID[others[0]] if others else None


@dataclass(frozen=True, slots=True)
class DecideOutcome:
    """`taken` and `refused` by interaction id; `why` is set when nothing could be looked at in the first place."""

    taken: Mapping[str, ElicitAction] = field(default_factory=dict)
    refused: Mapping[str, DecisionRefusal] = field(default_factory=dict)
    why: DecisionRefusal | None = None

    @property
    def first_refusal(self) -> DecisionRefusal | None:
        return self.why or next(iter(self.refused.values()), None)

    def message(self) -> str:
        """One sentence on what was not taken; empty when everything was."""
        refusal = self.first_refusal
        return REFUSALS[refusal] if refusal is not None else ""


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One execution. Times are milliseconds since 1970; `status` is `running` while it runs.

    `interactions` are those of its last pause; `decided` holds every answer, also those that no driver has carried out
    yet, `by_person` the ids of those that a person is known to have given. `result` is the structured result when it is
    over. `code` is empty where it was not kept, `metadata` is the caller's own. `runs` is what its record keeps of the
    runs that are over (see `OnRun`), for people: it is in no answer to programs.
    """

    id: str
    status: str
    workspace_id: str
    account_id: str
    session_id: str | None
    mode: str
    created_at_ms: float
    expires_at_ms: float
    code_sha256: str
    interactions: tuple[Interaction, ...] = ()
    decided: Mapping[str, ElicitAction] = field(default_factory=dict)
    calls: tuple[JsonObject, ...] = ()
    result: JsonObject | None = None
    by_person: frozenset[str] = frozenset()
    code: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[JsonObject, ...] = ()

    @property
    def asking(self) -> dict[str, int]:
        """By question of its last pause, the line of the code that asks it, where that is known."""
        return asking_lines(self.code, {one.id: one.address for one in self.interactions})

    def whole_json(self) -> JsonObject:
        """With its code and metadata: for one execution, not for lists."""
        more = {"code": self.code or None, "askedAtLine": self.asking, "metadata": dict(self.metadata)}
        return self.as_json() | {name: value for name, value in more.items() if value}

    def as_json(self) -> JsonObject:
        """For lists."""
        body: JsonObject = {
            "executionId": self.id,
            "status": self.status,
            "workspaceId": self.workspace_id,
            "accountId": self.account_id,
            "sessionId": self.session_id,
            "mode": self.mode,
            "createdAt": iso(self.created_at_ms),
            "expiresAt": iso(self.expires_at_ms),
            "codeSha256": self.code_sha256,
            "interactions": [one.as_json() for one in self.interactions],
            "decided": dict(self.decided),
            "calls": list(self.calls),
            "result": self.result,
        }
        return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Pending:
    """One question that waits, with the execution it belongs to. `page_only`: this caller decides about it on the
    approval page only."""

    execution_id: str
    account_id: str
    workspace_id: str
    session_id: str | None
    created_at_ms: float
    interaction: Interaction
    page_only: bool = False


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """A page of executions, newest first. `cursor` asks for the next one."""

    items: tuple[ExecutionView, ...]
    cursor: str | None = None


def iso(milliseconds: float) -> str:
    """RFC 3339 in UTC."""
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
