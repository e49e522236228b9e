"""From stored decisions to what they mean for single calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from proxy.executions.approvals import Choice, Interaction
from proxy.executions.protocol import Given
from proxy.state import Decision


def given_by(asked: Iterable[Interaction], decisions: Mapping[str, Decision], now: float) -> dict[str, Given]:
    """What was decided, by interaction; `now` in milliseconds, after which questions have expired undecided.

    A decision about something else than was asked counts for nothing.
    """
    found: dict[str, Given] = {}
    for question in asked:
        decision = decisions.get(question.id)
        if decision is not None and decision.binding == question.binding:
            found[question.id] = _given(question, decision)
        elif question.expires_at <= now and question.kind != "outcome_unknown":
            found[question.id] = Given("expired", {}, question.id)
    return found


def _given(question: Interaction, decision: Decision) -> Given:
    said = orjson.loads(decision.body)
    action = said["action"]
    if question.kind == "outcome_unknown":
        action = said["content"].get("outcome", "fail") if action == "accept" else "fail"
    elif action == "accept" and decision.used and question.kind == "approval":
        action = "ask_again"
    return Given(action, said["content"], question.id, question.expires_at)


def by_call(given: Mapping[str, Given], asked: Iterable[Interaction]) -> dict[int, Given]:
    """The same by call: a decision is about the calls that its question named, and no others."""
    return {seq: given[one.id] for one in asked if one.id in given for seq in one.seqs}


def chosen(given: Mapping[str, Given], decisions: Mapping[str, Decision]) -> dict[str, Choice]:
    """The decisions as they were said, for repeating them."""
    return {name: orjson.loads(decisions[name].body)["action"] for name in given if name in decisions}
