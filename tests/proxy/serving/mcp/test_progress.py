from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from proxy.executions import SILENT
from proxy.serving.mcp.progress import QUEUE_SIZE, Reports, reporting


async def collected(reports: Reports) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []

    async def notify(method: str, params: Mapping[str, Any] | None) -> None:
        seen.append((method, dict(params or {})))

    async with reporting(reports, notify):
        reports.call_started(0, "a.b")
        reports.log("warn", "careful")
        reports.log("debug", "detail")
        reports.call_finished(0, "a.b", False, "rate_limited", 1.4)
    return seen


async def test_progress_grows_and_names_the_call() -> None:
    seen = await collected(Reports("t", lambda level: False))
    assert [method for method, _ in seen] == ["notifications/progress"] * 2
    assert [params["progress"] for _, params in seen] == [1, 2]
    assert [params["message"] for _, params in seen] == ["a.b started", "a.b rate_limited in 1 ms"]
    assert all(params["progressToken"] == "t" for _, params in seen)


async def test_steps_of_a_call_grow_with_the_rest() -> None:
    reports, seen = Reports("t", lambda level: False), list[tuple[object, str]]()

    async def notify(method: str, params: Mapping[str, Any] | None) -> None:
        assert params is not None
        seen.append((params["progress"], params["message"]))

    async with reporting(reports, notify):
        reports.call_started(0, "a.b")
        reports.call_progress(0, "a.b", "9 of 10: nearly")
        reports.call_progress(0, "a.b", "1 of 10: again")
    assert seen == [(1, "a.b started"), (2, "a.b: 9 of 10: nearly"), (3, "a.b: 1 of 10: again")]


async def test_logs_without_a_token_and_only_the_levels_wanted() -> None:
    seen = await collected(Reports(None, lambda level: level != "debug"))
    assert seen == [("notifications/message", {"level": "warning", "logger": "console", "data": "careful"})]


async def test_a_token_of_zero_is_a_token() -> None:
    assert len(await collected(Reports(0, lambda level: False))) == 2


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    reports = Reports(1, lambda level: True)
    for _ in range(QUEUE_SIZE + 5):
        reports.log("info", "x")
    assert reports.dropped == 5
    reports.end()
    reports.queue.close()


def test_what_is_due_when_it_has_ended_is_dropped() -> None:
    reports = Reports("t", lambda level: True)
    reports.end()
    reports.still_running()
    reports.log("info", "late")
    assert reports.dropped == 2
    reports.queue.close()


def test_silence_takes_everything() -> None:
    silence = SILENT
    silence.call_started(0, "a")
    silence.call_progress(0, "a", "1 of 2")
    silence.call_finished(0, "a", True, None, 1.0)
    silence.undecided(("a",))
    silence.log("info", "x")


def said(reports: Reports) -> str:
    """What a client that waits is told now."""
    reports.still_running()
    last = ""
    while reports.queue.statistics().current_buffer_used:
        last = reports.queue.receive_nowait()[1]["message"]
    return last


def test_progress_says_what_runs() -> None:
    """Field report 14."""
    reports = Reports("t", lambda level: False)
    assert said(reports) == "the code runs"
    for seq, path in enumerate(("demo.org.main.get", "demo.org.main.get", "demo.org.main.list")):
        reports.call_started(seq, path)
    assert said(reports) == "0 of 3 calls done; waiting for demo.org.main.get, demo.org.main.list"
    for seq in (0, 1):
        reports.call_finished(seq, "demo.org.main.get", True, None, 1.0)
    assert said(reports) == "2 of 3 calls done; waiting for demo.org.main.list"
    reports.undecided(("demo.org.main.write",))
    assert said(reports) == "waiting for a decision about demo.org.main.write"
    reports.undecided(())
    assert said(reports) == "2 of 2 calls done; the code runs"
    reports.call_started(2, "demo.org.main.list")
    for seq, path in enumerate(("a", "b", "c"), 3):
        reports.call_started(seq, path)
    assert said(reports) == "2 of 6 calls done; waiting for demo.org.main.list, a, b and 1 more"
    reports.end()
    reports.queue.close()


async def test_a_body_that_waits_shows_that_it_lives_until_it_ends() -> None:
    lives = anyio.Event()

    async def notify(method: str, params: Mapping[str, Any] | None) -> None:
        assert params is not None
        if params["message"] == "the code runs" and params["progress"] >= 2:
            lives.set()

    async with reporting(Reports("t", lambda level: False), notify, 0.001):
        await lives.wait()


@pytest.mark.parametrize("waiting_seconds", [None, 60.0])
async def test_what_goes_wrong_comes_out_as_it_is(waiting_seconds: float | None) -> None:
    async def notify(method: str, params: Mapping[str, Any] | None) -> None:
        """Nobody reads."""

    with pytest.raises(KeyError, match="cause"):
        async with reporting(Reports("t", lambda level: False), notify, waiting_seconds):
            raise KeyError("cause")
