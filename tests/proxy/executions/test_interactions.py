"""The values that go between asking and deciding: JSON forms and round trips."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions.interactions import UNSAFE_SCHEMA, DecideOutcome, ExecutionView, Interaction, iso
from proxy.executions.machine.journal import AskedBy

QUESTION = Interaction(
    id="int_1",
    kind="approval",
    message="Send it?",
    address="demo.org.main.things.create",
    summary="POST /things",
    args="{}",
    args_digest="d",
    args_bytes=2,
    rule=AskedBy("ask", "executor.yaml:7"),
    approver="human",
    expires_at_ms=1_700_000_000_000.0,
    seqs=(0, 1),
    binding="b",
)


def test_clients_see_times_in_utc_and_how_many_calls_it_stands_for() -> None:
    shown = QUESTION.as_json()
    assert shown["expiresAt"] == "2023-11-14T22:13:20Z" == iso(QUESTION.expires_at_ms)
    assert shown["calls"] == 2
    assert shown["rule"] == {"id": "ask", "source": "executor.yaml:7"}
    assert "url" not in shown


def test_integers_that_clients_would_round_are_strings_in_a_form_and_it_says_so() -> None:
    number = {"type": "integer", "default": 9007199254740993, "minimum": 5}
    asked = replace(QUESTION, requested_schema={"type": "object", "properties": {"n": number}})
    shown = asked.as_json()
    assert shown["requestedSchema"]["properties"]["n"] == number | {"default": "9007199254740993"}
    assert shown["note"] == UNSAFE_SCHEMA
    assert "note" not in replace(QUESTION, requested_schema={"type": "object"}).as_json()


def test_an_outcome_says_why_something_was_not_taken() -> None:
    assert DecideOutcome({"int_1": "accept"}).message() == ""
    assert "expired" in DecideOutcome({}, {"int_1": "expired"}).message()
    assert DecideOutcome(why="not_found").first_refusal == "not_found"


def test_a_view_leaves_out_what_it_does_not_have() -> None:
    view = ExecutionView("exec_1", "running", "ws", "key:a", None, "model", 0.0, 1000.0, "c")
    shown = view.as_json()
    assert shown["createdAt"] == "1970-01-01T00:00:00Z"
    assert "result" not in shown
    assert "sessionId" not in shown
