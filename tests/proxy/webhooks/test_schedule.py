from __future__ import annotations

import pytest

from proxy.webhooks.schedule import Timing, retry_after


def test_pauses_double_up_to_a_limit_and_end_after_a_few_minutes() -> None:
    timing = Timing()
    pauses = [timing.pause(number, None, 1.0) for number in range(1, 11)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, None]
    assert timing.pause(3, None, 0.0) == 2.0, "jitter takes up to half away"


def test_a_receiver_that_asks_for_time_gets_it_within_reason() -> None:
    assert Timing().pause(1, 30.0, 1.0) == 30.0
    assert Timing().pause(7, 30.0, 1.0) == 60.0
    assert Timing().pause(1, 86_400.0, 1.0) == 120.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("9" * 400, None)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds
