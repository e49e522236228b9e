"""Stored decisions as what they mean for calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from proxy.executions.given import by_call, chosen, given_by
from proxy.state import Decision, Owner
from tests.proxy.executions.test_approvals import QUESTION

BEFORE = QUESTION.expires_at - 1


def decision(action: str, used: bool = False, **content: Any) -> Decision:
    body = orjson.dumps({"action": action, "content": content})
    return Decision("exec_1", "int_1", Owner("ws", "a"), "b", QUESTION.expires_at / 1000, body, used)


def test_a_decision_reaches_every_call_that_its_question_named_and_no_other() -> None:
    decisions = {"int_1": decision("accept")}
    given = given_by([QUESTION], decisions, BEFORE)
    calls = by_call(given, [QUESTION])
    assert {seq: one.action for seq, one in calls.items()} == {0: "accept", 1: "accept"}
    assert calls[0].interaction == "int_1"
    assert chosen(given, decisions) == {"int_1": "accept"}


def test_a_decision_about_something_else_counts_for_nothing() -> None:
    other = replace(decision("accept"), binding="another")
    assert given_by([QUESTION], {"int_1": other}, BEFORE) == {}


def test_a_used_up_approval_means_asking_again() -> None:
    given = given_by([QUESTION], {"int_1": decision("accept", used=True)}, BEFORE)
    assert given["int_1"].action == "ask_again"


def test_time_runs_out_for_approvals_only() -> None:
    late = QUESTION.expires_at
    unknown = replace(QUESTION, kind="outcome_unknown")
    assert given_by([QUESTION], {}, late)["int_1"].action == "expired"
    assert given_by([unknown], {}, late) == {}


@pytest.mark.parametrize(
    ("action", "content", "meaning"),
    [
        ("accept", {"outcome": "retry"}, "retry"),
        ("accept", {"outcome": "done"}, "done"),
        ("decline", {}, "fail"),
        ("cancel", {}, "fail"),
    ],
)
def test_an_unknown_outcome_is_settled_by_what_was_said(action: str, content: Any, meaning: str) -> None:
    unknown = replace(QUESTION, kind="outcome_unknown")
    given = given_by([unknown], {"int_1": decision(action, **content)}, BEFORE)
    assert given["int_1"].action == meaning
