"""An hour of counts, by the minute, and no more than that."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.app.last_hour import MINUTES, MOST_NAMES, LastHour, MinuteCounts
from proxy.calls import CallContext, CallReport
from proxy.executions import ExecutionReport
from proxy.principal import Principal

WHO = Principal("default", "key:a", "key")


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def call(
    address: str | None = "shop.org.main.things.get", code: str | None = None, **changes: Any
) -> CallReport:
    values: dict[str, Any] = {"integration": "shop", "milliseconds": 100.0, **changes}
    context = CallContext("exec_1")
    return CallReport(
        context,
        WHO,
        address or "?",
        address,
        arguments_digest=None,
        decision=None,
        code=code,
        generation=1,
        **values,
    )


def test_a_minute_that_is_over_leaves_after_an_hour() -> None:
    counts = MinuteCounts()
    for minute in (1000, 1000, 1059):
        counts.add(minute)
    assert counts.counts(1059) == [2, *[0] * 58, 1]
    assert counts.counts(1060) == [*[0] * 58, 1, 0]
    assert counts.counts(5000) == [0] * MINUTES
    counts.add(4000)  # the clock was set back
    assert sum(counts.counts(5000)) <= 1


@pytest.mark.parametrize(
    ("code", "failed"),
    [(None, 0), ("upstream_timeout", 1), ("tool_blocked", 0), ("approval_required", 0), ("rate_limited", 0)],
)
def test_only_what_the_upstream_is_to_blame_for_counts_as_failed(code: str | None, failed: int) -> None:
    hour = LastHour(Clock())
    hour.called(call(code=code))
    shown = hour.as_json()
    assert (sum(shown["calls"]), sum(shown["failed_calls"])) == (1, failed)


def test_connections_have_their_latency_and_last_error() -> None:
    clock = Clock()
    hour = LastHour(clock)
    hour.called(call(milliseconds=100.0))
    hour.called(call(milliseconds=200.0, code="upstream_timeout"))
    one = hour.as_json()["connections"]["shop.org.main"]
    assert one == {
        "calls": 2,
        "failed": 1,
        "milliseconds": 110,
        "last_at": clock.now,
        "last_error": "upstream_timeout",
        "last_error_at": clock.now,
    }
    clock.now += 3600
    assert hour.as_json()["connections"] == {}


def test_system_tools_and_unknown_ones_are_no_calls() -> None:
    hour = LastHour(Clock())
    hour.called(call("search", integration="system"))
    hour.called(call(None, "tool_not_found", integration=""))
    assert sum(hour.as_json()["calls"]) == 0


def test_names_are_bounded() -> None:
    hour = LastHour(Clock())
    for number in range(MOST_NAMES + 5):
        hour.called(call(f"shop.org.c{number}.get"))
        hour.limited(f"limit-{number}")
    shown = hour.as_json()
    assert (len(shown["connections"]), len(shown["limits"])) == (MOST_NAMES, MOST_NAMES)


def test_executions_and_limits() -> None:
    clock = Clock()
    hour = LastHour(clock)
    for status in ("completed", "failed"):
        hour.executed(ExecutionReport("exec_1", WHO, "", None, {}, status, None, 0, 1.0, 1))
    hour.limited("few")
    shown = hour.as_json()
    assert (sum(shown["executions"]), sum(shown["failed_executions"])) == (2, 1)
    assert shown["limits"] == [{"name": "few", "hits": 1, "last_at": clock.now}]
