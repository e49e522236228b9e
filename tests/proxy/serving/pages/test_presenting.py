"""What the page says about an execution in each of its stages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.executions import ExecutionView, Interaction, Pending
from proxy.serving.pages.presenting import groups, list_digest, moment, path_of, present
from tests.proxy.serving.pages.support import Clock, asked

NOW = Clock().now * 1000


def view(*questions: Interaction, status: str = "waiting_for_interaction", **more: object) -> ExecutionView:
    plain = ExecutionView(
        id="exec_1",
        status=status,
        workspace_id="ws",
        account_id="key:bob",
        session_id=None,
        mode="model",
        created_at_ms=NOW - 1000,
        expires_at_ms=NOW + 1,
        code_sha256="ab",
        interactions=questions,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def stage(shown: ExecutionView, now_ms: float = NOW) -> str:
    return present(shown, own=True, approver=False, now_ms=now_ms).stage


def test_the_stages() -> None:
    two = asked("one", "two")
    assert stage(view(*two)) == "open"
    assert stage(view(*two, decided={"int_1": "accept"})) == "open"
    assert stage(view(*two, decided={"int_1": "accept", "int_2": "decline"})) == "decided"
    assert stage(view(*two), NOW + 600_001) == "expired"
    assert stage(view(*two, decided={"int_1": "accept"}), NOW + 600_001) == "decided"
    assert stage(view(status="running")) == "running"
    assert stage(view(status="completed")) == "over"
    assert stage(view(status="failed")) == "over"
    assert stage(view(status="execution_expired")) == "expired"


def test_what_one_button_decides() -> None:
    one, two, three = asked("one", "two", "three")
    human, unknown = replace(two, approver="human"), replace(three, kind="outcome_unknown")
    shown = present(view(one, human, unknown), own=True, approver=True, now_ms=NOW)
    assert shown.approvable == ("int_1",)
    assert shown.deniable == ("int_1", "int_2", "int_3")
    other = present(view(one, human, unknown), own=False, approver=True, now_ms=NOW)
    assert other.approvable == ("int_1", "int_2")
    assert not other.sent_nothing


def test_what_waits_comes_first_and_what_was_called_is_told() -> None:
    calls = ({"path": "a", "ok": True}, {"path": "b", "ok": False, "code": "approval_required"})
    waits = view(*asked("one", "two"), decided={"int_1": "accept"}, calls=calls)
    shown = present(waits, own=True, approver=False, now_ms=NOW)
    assert [one.question.id for one in shown.cards] == ["int_2", "int_1"]
    assert [one["path"] for one in shown.calls] == ["a"]


def test_answers_are_counted() -> None:
    shown = present(
        view(decided={"a": "accept", "b": "accept", "c": "cancel"}), own=True, approver=False, now_ms=NOW
    )
    assert dict(shown.counts) == {"approved": 2, "cancelled": 1}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "in less than a minute"),
        (61, "in 1 minute"),
        (7200, "in 2 hours"),
        (-90_000, "1 day ago"),
    ],
)
def test_times_are_told_from_now(seconds: float, text: str) -> None:
    assert moment(NOW + seconds * 1000, NOW).relative == text


def test_the_list_is_grouped_by_execution() -> None:
    one, two = asked("one", "two")
    pending = [
        Pending(name, "key:bob", "ws", "s 1", NOW, each)
        for name, each in (("e1", one), ("e2", one), ("e1", two))
    ]
    found = groups(pending, NOW)
    assert [(each.execution_id, len(each.questions)) for each in found] == [("e1", 2), ("e2", 1)]
    assert found[0].path == path_of("e1", "s 1") == "/resume/e1?mcp_session_id=s%201"
    assert list_digest(pending) != list_digest(pending[:1])
