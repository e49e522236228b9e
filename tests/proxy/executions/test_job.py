"""What a run works with."""

from __future__ import annotations

from proxy.executions.job import start_message
from proxy.executions.journal import StartRecord


def test_the_worker_shows_every_call_at_once() -> None:
    message = start_message(StartRecord("code", "00", 1.0, 7, 2, 3, 4, 5))
    assert (message.limits.calls, message.limits.parallel) == (7, 7)
    assert (message.code, message.seed, message.now) == ("code", "00", 1.0)
