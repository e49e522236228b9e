"""Where news is published."""

from __future__ import annotations

from proxy.executions.topics import pauses, topic


def test_topics_are_apart() -> None:
    assert topic("x") != pauses("x")
