from __future__ import annotations

from integrations.mcp.pace import Pace


def test_failures_wait_longer_and_longer_up_to_a_limit() -> None:
    pace = Pace(0.5, 3.0)
    assert [pace.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_first_loss_is_repaired_at_once_and_the_next_ones_are_not() -> None:
    pace = Pace(0.5, 3.0)
    assert [pace.ended(1.0, proved=False) for _ in range(4)] == [0.0, 0.5, 1.0, 2.0]


def test_a_connection_that_held_or_carried_a_call_forgives() -> None:
    pace = Pace(0.5, 3.0)
    pace.failed()
    pace.failed()
    assert pace.ended(31.0, proved=False) == 0.0
    pace.failed()
    assert pace.ended(0.1, proved=True) == 0.0


def test_a_thousand_failures_do_not_overflow() -> None:
    pace = Pace(0.5, 300.0, failures=10_000)
    assert pace.failed() == 300.0
