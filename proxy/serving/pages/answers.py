"""From a sent form to decisions.

A form names the questions that were on the page when it was rendered. A question that came later is not touched by
"all", and the id of a question stands for exactly its arguments, so what was read is what is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proxy.executions import Decision, ExecutionView, Interaction
from proxy.serving.pages.fields import Field, fields_of, fill
from proxy.serving.pages.guard import Form, one
from proxy.serving.pages.guard import unreadable_form

FIELD_PREFIX: Final = "field."
"""Before the names of a question's own fields, which must not be taken for ours."""

_PLAIN: Final[Mapping[str, Decision]] = {
    "accept": Decision("accept"),
    "decline": Decision("decline"),
    "cancel": Decision("cancel"),
}
_OUTCOMES: Final = ("retry", "done", "fail")


@dataclass(frozen=True, slots=True)
class Answers:
    """`decisions` by question; empty when a form has to be filled in again: `retyped` then is how it was sent."""

    decisions: Mapping[str, Decision]
    retyped: Mapping[str, tuple[Field, ...]]


def answers_of(form: Form, view: ExecutionView) -> Answers:
    """What a person said. Raises `Problem` for a form that no page of ours renders."""
    ids, action = form.get("question", ()), one(form, "action")
    if not ids:
        raise unreadable_form("It names no question.")
    if action in _OUTCOMES:
        return Answers(dict.fromkeys(ids, Decision("accept", {"outcome": action})), {})
    if action not in _PLAIN:
        raise unreadable_form("It names no decision that there is.")
    asking = {each.id: each for each in view.interactions}
    if action == "accept" and any(each in asking and asking[each].kind == "form" for each in ids):
        if len(ids) != 1:
            raise unreadable_form("Forms are answered one at a time.")
        return _filled(form, asking[ids[0]])
    return Answers(dict.fromkeys(ids, _PLAIN[action]), {})


def _filled(form: Form, question: Interaction) -> Answers:
    fields = fields_of(question.requested_schema or {})
    if fields is None:
        raise unreadable_form("This question cannot be answered with a simple form; it can be declined.")
    posted = {
        name.removeprefix(FIELD_PREFIX): values
        for name, values in form.items()
        if name.startswith(FIELD_PREFIX)
    }
    filled = fill(fields, posted)
    if filled.wrong:
        return Answers({}, {question.id: filled.fields})
    return Answers({question.id: Decision("accept", filled.content)}, {})
