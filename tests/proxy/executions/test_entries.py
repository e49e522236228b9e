"""The list of inner calls in a result."""

from __future__ import annotations

from proxy.calls import Settlement
from proxy.executions.entries import Entries, code_of
from proxy.executions.protocol import Ended, Held, Pause
from proxy.sandbox import ToolCall

CALLS = [ToolCall(seq, f"a.b.c.t{seq}", {}) for seq in range(4)]


def test_calls_are_listed_in_the_order_of_the_code() -> None:
    entries = Entries(None)
    entries.begin(1, 100.0)
    entries.settle(CALLS[1], Settlement(b"{}", True), 130.0)
    entries.settle(CALLS[0], Settlement(b"{}", False, "tool_blocked"), 150.0)
    shown = entries.listed(None, 200.0)
    assert [(one.path, one.ok, one.code, one.ms) for one in shown] == [
        ("a.b.c.t0", False, "tool_blocked", 0.0),
        ("a.b.c.t1", True, None, 30.0),
    ]


def test_what_has_no_outcome_says_why() -> None:
    entries = Entries(None)
    entries.begin(0, 100.0)
    ended = Ended("canceled", unsettled=(CALLS[0], CALLS[1]), unsent=(CALLS[2],))
    assert [one.code for one in entries.listed(ended, 200.0)] == ["outcome_unknown", "not_sent", "not_sent"]
    held = entries.listed(Pause((Held(CALLS[3], {}),)), 200.0)
    assert [one.code for one in held] == ["approval_required"]


def test_codes_of_recorded_outcomes() -> None:
    assert code_of(b'{"ok":true,"data":1}') is None
    assert code_of(b"[1]") is None
    assert code_of(b'{"ok":false,"error":{"code":"x"}}') == "x"
    assert code_of(b'{"throw":{"name":"ToolApprovalDeclinedError"}}') == "approval_declined"
    assert code_of(b'{"throw":{"name":"Error"}}') == "internal_error"
