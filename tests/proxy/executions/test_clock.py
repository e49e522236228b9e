"""The clock of executions."""

from __future__ import annotations

from proxy.executions.clock import wall_clock


def test_the_clock_is_milliseconds_and_never_goes_back() -> None:
    clock = wall_clock()
    first, second = clock(), clock()
    assert second >= first > 1_700_000_000_000
