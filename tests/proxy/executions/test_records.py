"""What the store keeps: round trips of bodies and results."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions import ExecutionRequest
from proxy.executions.outcome import CallEntry, ExecutionError, ExecutionResult
from proxy.executions.records import Body, body_of, new_body, packed, unpacked, view
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner
from tests.proxy.executions.test_approvals import QUESTION

WHO = Principal("ws", "key:a", "key", frozenset({"g"}), frozenset({"s"}), {"secret": "claim"})
RESULT = ExecutionResult(
    "exec_1",
    "completed",
    "ws",
    "key:a",
    has_result=True,
    result={"a": [1]},
    result_text="x",
    error=ExecutionError("E", "m", line=1),
    logs=(("log", "l"),),
    emitted=({"type": "text", "text": "t"},),
    calls=(CallEntry("p", True, None, 1.0),),
    interactions=(QUESTION,),
)


def record(body: Body, status: str = "settled") -> ExecutionRecord:
    return ExecutionRecord("exec_1", Owner("ws", "key:a"), status, 1.0, 2.0, body.encoded())  # type: ignore[arg-type]


def test_a_result_comes_back_as_it_was() -> None:
    assert unpacked(packed(RESULT)) == RESULT


def test_the_caller_comes_back_without_the_claims_of_its_token() -> None:
    body = new_body(ExecutionRequest("code", timeout_ms=5, mode="browser"), WHO, "sha")
    again = body_of(record(body))
    assert again == body
    assert again.who() == replace(WHO, claims={})
    assert (again.asked_for().timeout_ms, again.asked_for().mode, again.asked_for().code) == (
        5,
        "browser",
        "",
    )
    assert b"claim" not in body.encoded()


def test_a_view_shows_questions_only_while_they_wait_and_results_only_at_the_end() -> None:
    body = new_body(ExecutionRequest("code"), WHO, "sha")
    waiting = replace(
        body,
        interactions=(QUESTION.stored(),),
        result=packed(replace(RESULT, status="waiting_for_interaction")),
    )
    shown = view(record(waiting, "paused"))
    assert (shown.status, shown.interactions, shown.result) == ("waiting_for_interaction", (QUESTION,), None)
    over = view(record(replace(body, result=packed(RESULT))))
    assert over.interactions == ()
    assert over.result is not None
    assert view(record(body, "running")).status == "running"
