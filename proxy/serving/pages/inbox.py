"""The list of all that waits: filtered, each question with the line of code that asks it, decided one by one or all at
once.

A form names the questions that were on the page, as `execution/question`: what came later is not decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from integrations.conversation import ElicitAction
from proxy.executions import ELICIT_ACTIONS, ExecutionView, Interaction, InteractionDecision, Pending
from proxy.executions.code import CodeLine, listing
from proxy.serving.pages.guard import Form, first_value, unreadable_form
from proxy.serving.pages.presenting import Moment, moment, path_of

CODES_SHOWN: Final = 30
"""For how many executions the code is looked up: each is a read of the state store."""

QUESTIONS_SHOWN: Final = 150
"""What one form can name: it has at most 32 KiB."""

_AROUND: Final = 2
_NOT_HERE: Final = "cancel"


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What is shown; empty: everything. `tool` is part of an address."""

    account: str = ""
    tool: str = ""

    def matches(self, one: Pending) -> bool:
        return self.account in ("", one.account_id) and self.tool in one.interaction.address


@dataclass(frozen=True, slots=True)
class InboxQuestion:
    """`item` names it in a form. `approvable`: by this reader, with one click; a question of an upstream is answered on
    the page of its execution. `lines` are those of the code around the one that asks, where that is known."""

    item: str
    question: Interaction
    approvable: bool
    blocked: bool
    expires: Moment
    lines: tuple[CodeLine, ...] = ()


@dataclass(frozen=True, slots=True)
class InboxGroup:
    """One execution with its questions."""

    execution_id: str
    account_id: str
    created: Moment
    path: str
    questions: tuple[InboxQuestion, ...]


@dataclass(frozen=True, slots=True)
class WaitingList:
    """`hidden` counts the questions that wait and do not match the filter, `left_out` those that are too many."""

    groups: tuple[InboxGroup, ...]
    hidden: int = 0
    left_out: int = 0

    @property
    def approvable(self) -> tuple[str, ...]:
        return tuple(one.item for group in self.groups for one in group.questions if one.approvable)

    @property
    def deniable(self) -> tuple[str, ...]:
        return tuple(one.item for group in self.groups for one in group.questions)


def inbox(
    pending: Sequence[Pending],
    wanted: InboxFilter,
    views: Mapping[str, ExecutionView],
    *,
    account: str,
    approver: bool,
    now_ms: float,
) -> WaitingList:
    """`account` reads it. `views` are the executions whose code may be shown."""
    matching = [one for one in pending if wanted.matches(one)]
    shown = matching[:QUESTIONS_SHOWN]
    by_execution: dict[str, list[Pending]] = {}
    for one in shown:
        by_execution.setdefault(one.execution_id, []).append(one)
    groups = tuple(
        _group(several, views.get(name), account, approver, now_ms) for name, several in by_execution.items()
    )
    return WaitingList(groups, len(pending) - len(matching), len(matching) - len(shown))


def _group(
    several: Sequence[Pending], view: ExecutionView | None, account: str, approver: bool, now_ms: float
) -> InboxGroup:
    first = several[0]
    own = first.account_id == account
    asking = view.asking if view is not None else {}
    rows = listing(view.code).lines if view is not None else ()
    return InboxGroup(
        first.execution_id,
        first.account_id,
        moment(first.created_at_ms, now_ms),
        path_of(first.execution_id, first.session_id),
        tuple(
            _question(one, own, approver, now_ms, _around(rows, asking.get(one.interaction.id)))
            for one in several
        ),
    )


def _question(
    one: Pending, own: bool, approver: bool, now_ms: float, lines: tuple[CodeLine, ...]
) -> InboxQuestion:
    question = one.interaction
    blocked = question.approver == "human" and (own or not approver)
    return InboxQuestion(
        item=f"{one.execution_id}/{question.id}",
        question=question,
        approvable=question.kind == "approval" and not blocked,
        blocked=blocked,
        expires=moment(question.expires_at_ms, now_ms),
        lines=lines,
    )


def _around(rows: Sequence[CodeLine], number: int | None) -> tuple[CodeLine, ...]:
    if number is None:
        return ()
    chosen = rows[max(0, number - 1 - _AROUND) : number + _AROUND]
    return tuple(CodeLine(one.number, one.text, one.number == number) for one in chosen)


def decisions_of(form: Form) -> dict[str, dict[str, InteractionDecision]]:
    """By execution, what a sent form decides. Raises `PageProblem` for a form that no page of ours renders."""
    action = first_value(form, "action")
    choice: ElicitAction | None = next((one for one in ELICIT_ACTIONS if one == action != _NOT_HERE), None)
    items = form.get("item", ())
    if choice is None or not items:
        raise unreadable_form("It names no decision that there is, or no question.")
    found: dict[str, dict[str, InteractionDecision]] = {}
    for execution_id, question in _named(items):
        found.setdefault(execution_id, {})[question] = InteractionDecision(choice)
    return found


def _named(items: Iterable[str]) -> Iterable[tuple[str, str]]:
    for item in items:
        execution_id, slash, question = item.partition("/")
        if not slash or not execution_id or not question or "*" in item:
            raise unreadable_form("It names no question.")
        yield execution_id, question
