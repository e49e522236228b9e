"""Fields: those without a value are left out, the rest is as documented."""

from __future__ import annotations

from proxy.audit import ApprovalEvent, AuthFailureEvent, CallEvent, ExecutionEvent, ReloadEvent, Who

WHO = Who("ws_main", "ci_bot", "key", ("ci",))


def test_a_call_names_who_what_and_by_whose_leave() -> None:
    decision = {"action": "approve", "rule": "ci-may", "source": "executor.yaml:7"}
    event = CallEvent(
        WHO,
        "exec_1",
        None,
        3,
        "x.org.main.get",
        "x.org.main.get",
        True,
        None,
        1.23456,
        {"sha256": "ab"},
        decision,
    )
    assert event.as_json() == {
        "who": {"workspace": "ws_main", "account": "ci_bot", "kind": "key", "groups": ["ci"]},
        "executionId": "exec_1",
        "call": 3,
        "address": "x.org.main.get",
        "ok": True,
        "decision": decision,
        "arguments": {"sha256": "ab"},
        "durationMs": 1.235,
    }


def test_a_call_that_found_nothing_keeps_what_the_code_wrote() -> None:
    event = CallEvent(WHO, "exec_1", "s", 0, "no.such", None, False, "tool_not_found", 0.1)
    assert event.as_json()["path"] == "no.such"
    assert "address" not in event.as_json()


def test_the_other_events() -> None:
    execution = ExecutionEvent(WHO, "exec_1", "s", "completed", "cd" * 32, 2, 10.0, metadata={"run": 7})
    assert execution.as_json()["metadata"] == {"run": 7}
    approval = ApprovalEvent(WHO, "exec_1", "ask_1", "accept", "cli", "bot", refused="needs_another_person")
    assert approval.as_json()["refused"] == "needs_another_person"
    assert ReloadEvent("applied", "watch", 3).as_json() == {
        "outcome": "applied",
        "trigger": "watch",
        "generation": 3,
    }
    failure = AuthFailureEvent(401, "unknown key", "10.0.0.9")
    assert failure.as_json() == {"status": 401, "message": "unknown key", "peer": "10.0.0.9"}
    refused = AuthFailureEvent(403, "another workspace", "10.0.0.9", "ws_one", "key:eve")
    assert refused.as_json() == {
        **{"status": 403, "message": "another workspace", "peer": "10.0.0.9"},
        **{"workspace": "ws_one", "account": "key:eve"},
    }
