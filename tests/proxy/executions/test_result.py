"""What an execution answers: text, structured content, exit codes."""

from __future__ import annotations

from typing import Any, Literal

import jsonschema
import pytest

from proxy.executions.result import (
    TEXT_CHARACTERS,
    CallEntry,
    ExecutionError,
    ExecutionRequest,
    ExecutionResult,
    bounded_logs,
    cut,
    failed_before,
    log_section,
)
from proxy.executions.result_schema import OUTPUT_SCHEMA
from tests.proxy.serving.board import question

FAILED = ExecutionError("TypeError", "x is not a function", "    at agent.ts:3:5\n", 3, 5)


def result(status: str = "completed", **more: Any) -> ExecutionResult:
    return ExecutionResult("exec_1", status, "ws", "key:alice", **more)


@pytest.mark.parametrize(
    ("status", "is_error", "code"),
    [
        ("completed", False, 0),
        ("failed", True, 1),
        ("timeout", True, 124),
        ("canceled", True, 130),
        ("waiting_for_interaction", False, None),
        ("user_approval_required", False, None),
        ("execution_not_found", True, None),
    ],
)
def test_errors_and_exit_codes_by_status(status: str, is_error: bool, code: int | None) -> None:
    shown = result(status)
    assert shown.is_error is is_error
    assert shown.structured().get("exitCode") == code


def test_a_further_note_loses_none() -> None:
    plain = ExecutionResult("exec_1", "completed", "ws", "key:a")
    both = plain.with_note("first").with_note("second")
    assert both.note == "second\nfirst"
    assert both.with_note("first") == both


def test_structured_content_has_every_field_and_fits_its_schema() -> None:
    shown = result(
        session_id="mcp_1",
        catalog_revision="r_1",
        duration_ms=1.23456,
        has_result=True,
        result={"a": 1},
        result_text='{"a":1}',
        logs=(("log", "hi"),),
        emitted=({"type": "text", "text": "t"},),
        calls=(CallEntry("a.b", False, "rate_limited", 2.04), CallEntry("a.c", True, None, 1)),
    ).structured()
    jsonschema.validate(shown, OUTPUT_SCHEMA)
    assert shown == {
        "taskId": "exec_1",
        "executionId": "exec_1",
        "status": "completed",
        "runtimeId": "quickjs",
        "exitCode": 0,
        "logs": [{"level": "log", "text": "hi"}],
        "emitted": [{"type": "text", "text": "t"}],
        "calls": [
            {"path": "a.b", "ok": False, "code": "rate_limited", "ms": 2.0},
            {"path": "a.c", "ok": True, "ms": 1},
        ],
        "durationMs": 1.2,
        "workspaceId": "ws",
        "accountId": "key:alice",
        "sessionId": "mcp_1",
        "catalogRevision": "r_1",
        "result": {"a": 1},
    }


def test_null_is_a_result_and_nothing_is_not() -> None:
    assert result(has_result=True, result=None, result_text="null").structured()["result"] is None
    assert "result" not in result().structured()
    assert result().text() == "(no result: use `return`)"


def test_an_error_shows_its_place() -> None:
    assert result("failed", error=FAILED).text() == "TypeError: x is not a function\n    at agent.ts:3:5"
    syntax = ExecutionError("SyntaxError", "unexpected token", "", 2, 7)
    assert result("failed", error=syntax).text() == "SyntaxError: unexpected token (line 2, column 7)"
    shown = result("failed", error=FAILED).structured()
    jsonschema.validate(shown, OUTPUT_SCHEMA)
    assert shown["errorDetails"]["line"] == 3


def test_an_error_shows_what_the_code_put_into_it() -> None:
    shown = result("failed", error=ExecutionError("E", "no", fields={"code": 5, "cause": {"name": "F"}}))
    assert shown.text() == 'E: no\nFields: {code: 5, cause: {name: "F"}}'
    jsonschema.validate(shown.structured(), OUTPUT_SCHEMA)
    assert shown.structured()["errorDetails"]["fields"] == {"code": 5, "cause": {"name": "F"}}
    assert shown.structured()["error"] == "E: no"


def test_a_thrown_object_is_not_shown_twice() -> None:
    """Without a message its JSON is the message."""
    thrown = {"code": 5, "why": "x"}
    shown = result("failed", error=ExecutionError("Error", '{"code":5,"why":"x"}', fields=thrown))
    assert shown.text() == 'Error: {"code":5,"why":"x"}'
    assert shown.structured()["errorDetails"]["fields"] == thrown
    other = result("failed", error=ExecutionError("Error", "{no JSON", fields=thrown))
    assert other.text() == 'Error: {no JSON\nFields: {code: 5, why: "x"}'


def test_logs_follow_in_their_own_section() -> None:
    shown = result(has_result=True, result_text="5", logs=(("log", "a"), ("error", "b")))
    assert shown.text() == "5\n\nLogs:\n[log] a\n[error] b"


def test_long_text_is_cut_with_a_marker_and_logs_survive() -> None:
    shown = result(
        has_result=True, result_text="x" * 100_000, result_ref="res_1", logs=(("log", "kept"),)
    ).text()
    assert len(shown) == TEXT_CHARACTERS
    assert "[cut: 100,000 characters in all." in shown
    assert 'tools.executor.results.read({ref: "res_1"})' in shown
    assert shown.endswith("[log] kept")


def test_many_logs_are_cut_in_text_and_in_structure() -> None:
    shown = result(has_result=True, result_text="5", logs=(("log", ""),) * 10_000)
    assert len(shown.text()) < 10_000
    listed = shown.structured()["logs"]
    assert listed[-1]["text"].endswith("more lines")
    assert len(listed) < 2200


def test_content_is_text_then_what_was_emitted() -> None:
    image = {"type": "image", "data": "AA==", "mimeType": "image/png"}
    shown = result(has_result=True, result_text="5", emitted=(image,))
    assert shown.content() == [{"type": "text", "text": "5"}, image]


def test_requests_have_defaults() -> None:
    request = ExecutionRequest("return 1")
    assert (request.runtime_id, request.mode, dict(request.metadata)) == ("quickjs", "model", {})


def test_a_cut_says_how_much_there_was_and_where() -> None:
    assert cut("short", 100, None) == "short"
    text = cut("x" * 1000, 200, "res_1")
    assert len(text) == 200
    assert "1,000 characters" in text
    assert 'ref: "res_1"' in text


def test_lines_are_bounded_for_models_and_for_programs() -> None:
    lines = [("log", "y" * 1000)] * 100
    assert log_section([]) == ""
    assert len(log_section(lines)) < 8100
    shown = bounded_logs(lines)
    assert len(shown) < 70
    assert shown[-1]["text"].endswith("more lines")


# ---- what waits ------------------------------------------------------------------------------------------------------
def waiting(*approvers: Literal["model", "human"], **more: Any) -> str:
    asked = tuple(question("x", number, one) for number, one in enumerate(approvers, 1))
    return result("waiting_for_interaction", interactions=asked, **more).text().partition("\n")[0]


def test_a_pause_that_another_person_decides_does_not_offer_to_accept() -> None:
    text = waiting("human", "human", approval_url="https://x.example/resume/exec_1")
    assert "accept" not in text
    assert (
        "only another person can approve, at https://x.example/resume/exec_1 or with `executor approvals`"
        in text
    )
    assert text.index('resume with {"executionId": "exec_1"}:') < text.index("decline")


def test_a_mixed_pause_says_which_question_is_whose() -> None:
    text = waiting("human", "model")
    assert "What [int_1] ask only another person can approve" in text
    assert '"interactionId": "int_2"' in text
    assert '"action": "accept"' not in text


def test_what_the_model_may_decide_is_offered() -> None:
    assert '"action": "accept"} or "decline"' in waiting("model")


def test_calls_that_failed_are_named_where_code_took_their_data() -> None:
    wrong, other = (
        ExecutionError("TypeError", "cannot read property 'a' of undefined"),
        ExecutionError("Error", "x"),
    )
    calls = [
        CallEntry("a.org.main.get", False, "tool_not_found", 1.0),
        CallEntry("a.org.main.ok", True, None, 1.0),
    ]
    said = failed_before(wrong, calls)
    assert said == (
        "\nCalls that had failed: a.org.main.get (tool_not_found). Branch on `ok` before reading `data`."
    )
    assert " and 2 more." in failed_before(wrong, calls[:1] * 5)
    assert failed_before(other, calls) == failed_before(wrong, calls[1:]) == ""
