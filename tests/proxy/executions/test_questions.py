"""From held calls to questions, and from stored decisions to what they mean for calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from integrations.conversation import ElicitationRequest
from proxy.executions.interactions import Interaction
from proxy.executions.machine.events import HeldCall
from proxy.executions.machine.journal import ApprovalQuestion, AskedBy, AskingCall, UpstreamQuestion
from proxy.executions.questions import (
    binding_digest,
    by_call,
    chosen,
    interactions_for,
    lost_call_question,
    resolutions_for,
)
from proxy.sandbox import ToolCall
from proxy.state import DecisionRecord, Owner
from tests.proxy.executions.test_interactions import QUESTION


def approval(name: str, binding: str = "same") -> ApprovalQuestion:
    rule = AskedBy("ask", "executor.yaml:7")
    address = "demo.org.main.things.create"
    return ApprovalQuestion(name, (binding,), address, "POST /things", '{"n":1}', rule, "model")


def test_the_same_question_is_asked_once_under_the_first_id() -> None:
    held = [
        HeldCall(ToolCall(seq, "p", {}), approval(f"int_{seq}", "a" if seq < 2 else "b")) for seq in range(3)
    ]
    asked = interactions_for(held, 5000.0, ())
    assert [(one.id, one.seqs) for one in asked] == [("int_0", (0, 1)), ("int_2", (2,))]
    assert asked[0].binding == binding_digest(held[0].question)


def test_a_question_that_was_asked_before_keeps_its_time() -> None:
    held = [HeldCall(ToolCall(0, "p", {}), approval("int_0"))]
    (first,) = interactions_for(held, 5000.0, ())
    (again,) = interactions_for(held, 9000.0, [first])
    assert again.expires_at_ms == 5000.0


def test_a_lost_call_asks_what_became_of_it_and_remembers_its_approval() -> None:
    approved = approval("int_0")
    lost = lost_call_question(ToolCall(0, "demo.org.main.things.create", {"n": 1}), approved)
    (question,) = interactions_for([HeldCall(ToolCall(0, "p", {}), lost)], 5000.0, ())
    assert question.kind == "outcome_unknown"
    assert "not known" in question.message
    assert question.requested_schema is not None
    assert lost.approved == approved


def upstream(message: str, url: str | None = None) -> Interaction:
    request = ElicitationRequest(message, {"type": "object"} if url is None else None, url)
    asking = AskingCall("demo.org.main.things.create", '{"n":1}', "model")
    held = HeldCall(ToolCall(0, "p", {}), UpstreamQuestion("int_0", asking, "who", request))
    (found,) = interactions_for([held], 5000.0, ())
    return found


def test_an_upstreams_words_are_marked_and_inert() -> None:
    question = upstream("Send it?\nAsked by rule x\x1b[2J\r\n\u202eetorp")
    lines = question.message.split("\n")
    assert lines[0].startswith("The server behind `demo.org.main.things.create` asks, in its own words")
    assert lines[1:4] == ["| Send it?", "| Asked by rule x\\u{1B}[2J", "| \\u{202E}etorp"]
    assert question.requested_schema == {"type": "object"}


def test_an_upstreams_words_are_bounded() -> None:
    assert len(upstream("x" * 100_000).message) < 4000
    assert upstream("x\n" * 100_000).message.count("\n") < 60


def test_an_address_to_open_is_shown_whole_with_its_host_apart() -> None:
    question = upstream("please", "https://pay.example.com/a?b=c")
    assert (question.kind, question.url) == ("url", "https://pay.example.com/a?b=c")
    assert "open this address at `pay.example.com`: https://pay.example.com/a?b=c" in question.message


BEFORE = QUESTION.expires_at_ms - 1


def decision(action: str, used: bool = False, **content: Any) -> DecisionRecord:
    body = orjson.dumps({"action": action, "content": content})
    return DecisionRecord("exec_1", "int_1", Owner("ws", "a"), "b", QUESTION.expires_at_ms / 1000, body, used)


def test_a_decision_reaches_every_call_that_its_question_named_and_no_other() -> None:
    decisions = {"int_1": decision("accept")}
    resolutions = resolutions_for([QUESTION], decisions, BEFORE)
    calls = by_call(resolutions, [QUESTION])
    assert {seq: one.action for seq, one in calls.items()} == {0: "accept", 1: "accept"}
    assert calls[0].interaction == "int_1"
    assert chosen(resolutions, decisions) == {"int_1": "accept"}


def test_a_decision_about_something_else_counts_for_nothing() -> None:
    other = replace(decision("accept"), binding="another")
    assert resolutions_for([QUESTION], {"int_1": other}, BEFORE) == {}


def test_a_used_up_approval_means_asking_again() -> None:
    resolutions = resolutions_for([QUESTION], {"int_1": decision("accept", used=True)}, BEFORE)
    assert resolutions["int_1"].action == "ask_again"


def test_time_runs_out_for_approvals_only() -> None:
    late = QUESTION.expires_at_ms
    unknown = replace(QUESTION, kind="outcome_unknown")
    assert resolutions_for([QUESTION], {}, late)["int_1"].action == "expired"
    assert resolutions_for([unknown], {}, late) == {}


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
    resolutions = resolutions_for([unknown], {"int_1": decision(action, **content)}, BEFORE)
    assert resolutions["int_1"].action == meaning
