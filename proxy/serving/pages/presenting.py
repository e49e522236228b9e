"""From an execution to what its page says. Values only; the templates lay them out.

Whatever comes from agent code or an upstream is plain text here; the templates escape it and write out what is
invisible in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from integrations.conversation import ElicitAction
from proxy.executions import ELICIT_ACTIONS, ExecutionView, Interaction, Pending
from proxy.executions.code import CodeListing, listing
from proxy.executions.interactions import iso
from proxy.executions.result import WAITING
from proxy.serving.pages.fields import FormField, fields_of

CardState = ElicitAction | Literal["open", "expired"]
Stage = Literal["open", "decided", "expired", "running", "over"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as people read it: in UTC, and relative to now."""

    iso: str
    text: str
    relative: str


@dataclass(frozen=True, slots=True)
class Card:
    """One question. `fields` None: it cannot be answered with a simple form. `blocked`: another person must decide."""

    question: Interaction
    state: CardState
    expires: Moment
    blocked: bool
    fields: tuple[FormField, ...] | None
    link: str | None


@dataclass(frozen=True, slots=True)
class ShownExecution:
    """One execution. `approvable` and `deniable` are the ids that the buttons for all questions decide."""

    view: ExecutionView
    stage: Stage
    heading: str
    cards: tuple[Card, ...]
    created: Moment
    path: str
    approvable: tuple[str, ...]
    deniable: tuple[str, ...]
    counts: Mapping[str, int]
    digest: str
    code: CodeListing
    metadata: str

    @property
    def calls(self) -> tuple[Mapping[str, Any], ...]:
        """The calls that have ended. Those that wait for approval are shown as questions."""
        return tuple(one for one in self.view.calls if one.get("code") != "approval_required")

    @property
    def sent_nothing(self) -> bool:
        """Whether none of the calls asked about can have been sent already."""
        return all(one.question.kind != "outcome_unknown" for one in self.cards)


@dataclass(frozen=True, slots=True)
class Group:
    """One execution in the list, with its questions."""

    execution_id: str
    account_id: str
    created: Moment
    expires: Moment
    path: str
    questions: tuple[Interaction, ...]


_DECIDED: Final[Mapping[str, CardState]] = {choice: choice for choice in ELICIT_ACTIONS}


def path_of(execution_id: str, session_id: str | None) -> str:
    """The page of an execution on this server."""
    session = f"?mcp_session_id={quote(session_id, safe='')}" if session_id else ""
    return f"/resume/{quote(execution_id, safe='')}{session}"


def present(
    view: ExecutionView,
    *,
    own: bool,
    approver: bool,
    now_ms: float,
    retyped: Mapping[str, tuple[FormField, ...]] | None = None,
) -> ShownExecution:
    """`own`: the reader's account runs it. `retyped`: forms as they were sent, by question."""
    waiting = view.status in WAITING
    cards = (
        tuple(_card(one, view, own, approver, now_ms, retyped or {}) for one in view.interactions)
        if waiting
        else ()
    )
    stage = _stage(view, cards, waiting)
    open_cards = [one for one in cards if one.state == "open"]
    return ShownExecution(
        view=view,
        stage=stage,
        heading=_heading(stage, len(open_cards), view),
        cards=(*open_cards, *(one for one in cards if one.state != "open")),
        created=moment(view.created_at_ms, now_ms),
        path=path_of(view.id, view.session_id),
        approvable=tuple(
            one.question.id for one in open_cards if one.question.kind == "approval" and not one.blocked
        ),
        deniable=tuple(one.question.id for one in open_cards),
        counts=_counts(view),
        digest=_digest(view, cards),
        code=listing(view.code, frozenset(view.asking.values()) if waiting else frozenset()),
        metadata=json.dumps(view.metadata, ensure_ascii=False, indent=2) if view.metadata else "",
    )


def _card(
    question: Interaction,
    view: ExecutionView,
    own: bool,
    approver: bool,
    now_ms: float,
    retyped: Mapping[str, tuple[FormField, ...]],
) -> Card:
    decided = _DECIDED.get(view.decided.get(question.id, ""))
    state: CardState = decided or ("expired" if question.expires_at_ms <= now_ms else "open")
    fields: tuple[FormField, ...] | None = ()
    if question.kind == "form":
        fields = retyped.get(question.id) or fields_of(question.requested_schema or {})
    return Card(
        question=question,
        state=state,
        expires=moment(question.expires_at_ms, now_ms),
        blocked=question.approver == "human" and (own or not approver),
        fields=fields,
        link=_safe_link(question.url),
    )


def _safe_link(url: str | None) -> str | None:
    """The link if a click may open it: https with a plain host, and no user part, which could be taken for the host."""
    if url is None or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return url if fine and "\\" not in url and " " not in url else None


def _stage(view: ExecutionView, cards: Sequence[Card], waiting: bool) -> Stage:
    if view.status == "execution_expired":
        return "expired"
    if not waiting:
        return "running" if view.status == "running" else "over"
    states = {one.state for one in cards}
    if "open" in states:
        return "open"
    return "expired" if states == {"expired"} else "decided"


def _heading(stage: Stage, waiting: int, view: ExecutionView) -> str:
    if stage == "open":
        return "A decision is needed" if waiting == 1 else f"{waiting} decisions are needed"
    if stage == "over":
        return "Completed" if view.status == "completed" else f"Ended: {view.status.replace('_', ' ')}"
    return {"decided": "Decided", "expired": "Too late", "running": "The agent is at work"}[stage]


def _counts(view: ExecutionView) -> Mapping[str, int]:
    said = list(view.decided.values())
    names = {"accept": "approved", "decline": "denied", "cancel": "cancelled"}
    return {name: said.count(choice) for choice, name in names.items() if choice in said}


def _digest(view: ExecutionView, cards: Sequence[Card]) -> str:
    return _hashed([view.status, *(f"{one.question.id} {one.state}" for one in cards)])


def _hashed(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def groups(pending: Sequence[Pending], now_ms: float) -> tuple[Group, ...]:
    """The questions that wait, grouped by execution, oldest first."""
    by_execution: dict[str, list[Pending]] = {}
    for one in pending:
        by_execution.setdefault(one.execution_id, []).append(one)
    return tuple(_group(several, now_ms) for several in by_execution.values())


def _group(several: Sequence[Pending], now_ms: float) -> Group:
    first = several[0]
    questions = tuple(one.interaction for one in several)
    return Group(
        execution_id=first.execution_id,
        account_id=first.account_id,
        created=moment(first.created_at_ms, now_ms),
        expires=moment(min(one.expires_at_ms for one in questions), now_ms),
        path=path_of(first.execution_id, first.session_id),
        questions=questions,
    )


def list_digest(pending: Sequence[Pending]) -> str:
    """Changes when the list does."""
    return _hashed(sorted(one.interaction.id for one in pending))


def moment(at_ms: float, now_ms: float) -> Moment:
    """The time `at_ms`; both are milliseconds since 1970."""
    text = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    span = _span(abs(at_ms - now_ms) / 1000)
    return Moment(iso(at_ms), text, f"in {span}" if at_ms > now_ms else f"{span} ago")


def _span(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "less than a minute"
