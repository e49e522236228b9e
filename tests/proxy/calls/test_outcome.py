"""The failures that only the call path makes: their words, and what they leave out; calls without limits."""

from __future__ import annotations

import orjson

from integrations.base import Problem
from policies import Decision
from proxy.calls import outcome
from proxy.calls.outcome import CallSubject, NoLimits
from tests.proxy.executions.world import ALICE

BLOCK = Decision("block", "no-deletes", "executor.yaml:12", "Done by hand")


def test_an_expected_failure_becomes_an_envelope() -> None:
    settlement = outcome.failed(outcome.not_found("a.b", ["a.org.main.b"]))
    body = orjson.loads(settlement.body)
    assert (settlement.ok, settlement.code) == (False, "tool_not_found")
    assert body["ok"] is False
    assert body["error"]["details"] == {"suggestions": ["a.org.main.b"]}


def test_a_throw_names_its_class() -> None:
    assert orjson.loads(outcome.thrown("TypeError", "no", "wrong_argument").body) == {
        "throw": {"name": "TypeError", "message": "no"}
    }


def test_a_defect_says_only_its_id() -> None:
    assert str(outcome.ToolDefect("0badcafe")) == "Internal tool error [0badcafe]"


def test_a_block_names_rule_and_reason_unless_the_rule_forbids_it() -> None:
    assert outcome.blocked("a.org.main.b", BLOCK).details == {"rule": "no-deletes", "reason": "Done by hand"}
    silent = outcome.blocked("a.org.main.b", Decision("block", "r", "f:1", "why", disclose=False))
    assert dict(silent.details) == {}
    assert "why" not in silent.message


def test_approval_required_says_that_nothing_was_sent_and_not_to_retry() -> None:
    asked = Decision("require_approval", "ask", "executor.yaml:3", "careful")
    failure = outcome.approval_required("a.org.main.b", asked, "a.*")
    assert "was not sent" in failure.message
    assert not failure.retryable
    assert failure.details == {
        "rule": "ask",
        "source": "executor.yaml:3",
        "pattern": "a.*",
        "reason": "careful",
    }


def test_wrong_arguments_come_with_pointers() -> None:
    failure = outcome.invalid_arguments(
        "a.org.main.b", [Problem("/x", "must be a number"), Problem("", "empty")]
    )
    assert failure.details == {
        "problems": [{"pointer": "/x", "reason": "must be a number"}, {"pointer": "", "reason": "empty"}]
    }
    assert "/x: must be a number" in failure.message


def test_long_paths_are_not_repeated_in_full() -> None:
    assert len(outcome.not_found("x" * 5000, []).message) < 400


async def test_no_limits_admits_everything() -> None:
    subject = CallSubject(ALICE, None, "demo", "demo.org.main", "demo.org.main.things.get")
    assert await NoLimits().admit(subject) is None
