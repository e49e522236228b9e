"""What agent code sees of calls that were decided against."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from proxy.executions.machine.calls import outcome_of
from proxy.executions.machine.events import Resolution

ADDRESS = "demo.org.main.things.create"


def test_a_declined_approval_throws_an_error_that_code_can_catch() -> None:
    thrown = orjson.loads(outcome_of(Resolution("decline", {}), ADDRESS))["throw"]
    assert thrown["name"] == "ToolApprovalDeclinedError"
    assert "was not sent" in thrown["message"]


@pytest.mark.parametrize(("action", "code"), [("expired", "approval_expired"), ("fail", "outcome_unknown")])
def test_expired_and_failed_calls_are_ordinary_failures(action: Any, code: str) -> None:
    assert orjson.loads(outcome_of(Resolution(action, {}), ADDRESS))["error"]["code"] == code


def test_taken_as_done_gives_the_data_that_the_person_gave() -> None:
    assert orjson.loads(outcome_of(Resolution("done", {"data": [1]}), ADDRESS)) == {"ok": True, "data": [1]}
