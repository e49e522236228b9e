"""What the store keeps: round trips of bodies and results."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions import ExecutionRequest
from proxy.executions.records import (
    ExecutionBody,
    body_of,
    is_due,
    new_body,
    new_record,
    packed,
    paused_record,
    settled_record,
    stored,
    unpacked,
    view,
)
from proxy.executions.result import CallEntry, ExecutionError, ExecutionResult
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner
from tests.proxy.executions.test_interactions import QUESTION

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


def record(body: ExecutionBody, status: str = "settled") -> ExecutionRecord:
    return ExecutionRecord("exec_1", Owner("ws", "key:a"), status, 1.0, 2.0, body.encoded())  # type: ignore[arg-type]


def test_a_question_is_stored_and_restored_whole_under_the_names_of_earlier_versions() -> None:
    body = replace(new_body(ExecutionRequest("code"), WHO, "sha"), interactions=(stored(QUESTION),))
    assert body_of(record(body)).asked() == (QUESTION,)
    assert stored(QUESTION)["expires_at"] == QUESTION.expires_at_ms
    assert packed(replace(RESULT, expires_at_ms=5.0))["expires_at"] == 5.0


def test_times_are_seconds_in_the_store_and_milliseconds_here() -> None:
    begun = new_record("exec_1", WHO, new_body(ExecutionRequest("code"), WHO, "sha"), 1000.0, 60_000.0)
    assert (begun.created_at, begun.expires_at, begun.due_at) == (1.0, 61.0, None)
    waits = paused_record(begun, body_of(begun), (replace(QUESTION, expires_at_ms=90_000.0),))
    assert (waits.due_at, waits.expires_at, waits.pending) == (90.0, 150.0, 1)
    assert not is_due(waits, 89_999.0)
    assert is_due(waits, 90_000.0)
    over = settled_record(waits, body_of(waits))
    assert (over.status, over.due_at, over.pending) == ("settled", None, 0)
    assert (view(begun).created_at_ms, view(begun).expires_at_ms) == (1000.0, 61_000.0)


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
        interactions=(stored(QUESTION),),
        result=packed(replace(RESULT, status="waiting_for_interaction")),
    )
    shown = view(record(waiting, "paused"))
    assert (shown.status, shown.interactions, shown.result) == ("waiting_for_interaction", (QUESTION,), None)
    over = view(record(replace(body, result=packed(RESULT))))
    assert over.interactions == ()
    assert over.result is not None
    assert view(record(body, "running")).status == "running"


def test_runs_are_kept_and_what_a_later_version_adds_is_passed_over() -> None:
    body = replace(new_body(ExecutionRequest(code="1"), WHO, "sha"), runs=({"replica": "r1", "calls": []},))
    kept = record(body)
    later = replace(kept, body=kept.body[:-1] + b',"later":1}')
    assert body_of(later).runs == ({"replica": "r1", "calls": []},)
    assert view(kept).runs == body.runs
    assert "runs" not in view(kept).whole_json()
