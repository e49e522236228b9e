"""The life of a session: what ends it, what repairs it, what calls see meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from integrations.base import SourceError
from integrations.mcp import ChildSlots, Shared
from integrations.mcp.errors import McpError
from integrations.mcp.supervisor import Backoff, ConnectAttempt
from tests.integrations.mcp.running import PATIENCE, QUICK, Running, fifo, raw_server, running
from tests.proxy.support import logged


def starts(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()]


async def answered(one: Running) -> None:
    """Until a call gets through: a restart may be under way."""
    assert await one.data("echo", text="x") == "x"


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    async with running(raw_server("", {"STARTS": str(log)})) as one:
        first = (await one.data("pid"))["pid"]
        os.kill(first, signal.SIGKILL)
        second = (await one.data("pid"))["pid"]
        assert second != first
        assert starts(log) == [first, second]
        assert one.status == {"status": "connected"}


async def test_a_call_that_killed_the_server_is_not_sent_again(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    async with running(raw_server("", {"STARTS": str(log)})) as one:
        failure = await one.failure("die")
        assert (failure.code, failure.retryable) == ("mcp_connection_failed", False)
        assert failure.details == {"sent": True, "outcome": "unknown"}
        assert "signal 9" in failure.message
        await answered(one)
        assert len(starts(log)) == 2


async def test_a_read_that_killed_the_server_is_sent_once_more_and_no_oftener(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    async with running(raw_server("", {"STARTS": str(log)})) as one:
        failure = await one.failure("die_reading")
        assert (failure.code, failure.retryable) == ("mcp_connection_failed", True)
        await answered(one)
        assert len(starts(log)) == 3


async def test_the_last_words_are_told_without_the_secret() -> None:
    async with running(raw_server("crash", {"TOKEN": "tok-secret-1"})) as one:
        assert one.status["status"] == "failed"
        assert "exited with code 3: cannot work with [redacted]" in one.status["error"]


async def test_a_crashing_server_is_tried_again_with_pauses(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    async with running(raw_server("crash", {"STARTS": str(log)})) as one:
        async with asyncio.timeout(PATIENCE):
            while len(starts(log)) < 5:
                await asyncio.to_thread(log.stat)
        assert one.status["status"] == "failed"
        # Told once, not at every attempt.
        assert one.changes.count == 1


async def test_a_frozen_server_is_found_out_and_replaced() -> None:
    limits = replace(QUICK, probe_seconds=0.1)
    async with running(raw_server(), limits=limits) as one:
        first = (await one.data("pid"))["pid"]
        failure = await one.failure("freeze", 0.05)
        assert failure.code == "upstream_timeout"
        # A call waits for a frozen server too; the probe is what ends it.
        second = None
        while second is None:
            result = await one.call("pid", 2.0)
            second = getattr(result, "data", None)
        assert second["pid"] != first


async def test_a_slow_tool_does_not_make_a_server_frozen() -> None:
    limits = replace(QUICK, probe_seconds=10.0)
    async with running(raw_server("", {"CANCELLED": os.devnull}), limits=limits) as one:
        first = (await one.data("pid"))["pid"]
        for _ in range(3):
            await one.failure("hang", 0.02)
        assert (await one.data("pid"))["pid"] == first


async def test_an_idle_server_is_stopped_and_started_by_the_next_call(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    slots = ChildSlots(1)
    limits = replace(QUICK, idle_seconds=0.0)
    async with running(raw_server("", {"STARTS": str(log)}), limits=limits, shared=Shared(slots)) as one:
        async with asyncio.timeout(PATIENCE):
            while slots.taken:
                await asyncio.to_thread(log.stat)
        assert one.status == {"status": "connected"}
        assert one.upstream.listed
        await answered(one)
        assert len(starts(log)) == 2


async def test_a_storm_of_changes_lists_a_few_times_and_tells_once() -> None:
    limits = replace(QUICK, shortest_refresh_seconds=0.2)
    async with running(raw_server(), limits=limits) as one:
        before = one.changes.count
        await one.data("grow")
        await one.changes.until(lambda: "more0" in one.names)
        assert one.changes.count == before + 1
        assert (await one.data("lists"))["lists"] <= 4


async def test_the_toolset_is_replaced_as_a_whole() -> None:
    async with running(raw_server()) as one:
        old = one.upstream.toolset
        await one.data("grow")
        await one.changes.until(lambda: one.upstream.toolset is not old)
        assert "more0" not in [tool.name for tool in old.tools]
        assert old.digest != one.upstream.toolset.digest
        assert await one.data("more0") == "more0"


@pytest.mark.parametrize("tool", ["empty", "break_list"])
async def test_an_empty_or_failed_listing_changes_nothing(tool: str) -> None:
    async with running(raw_server()) as one:
        old = one.upstream.toolset
        listed = (await one.data("lists"))["lists"]
        await one.data(tool)
        async with asyncio.timeout(PATIENCE):
            while (await one.data("lists"))["lists"] == listed:
                pass
        assert one.upstream.toolset is old
        assert one.status == {"status": "connected"}


async def test_a_flood_of_notifications_does_not_stop_calls() -> None:
    async with running(raw_server()) as one:
        async with asyncio.TaskGroup() as tasks:
            flood = tasks.create_task(one.data("notification_flood"))
            ticks = 0
            while not flood.done():
                await asyncio.sleep(0)
                ticks += 1
        assert flood.result() == "flooded"
        assert ticks > 100


@pytest.mark.parametrize(
    ("tool", "words"), [("flood", "no JSON-RPC"), ("long_line", "a line of more than 1000000 bytes")]
)
async def test_a_server_that_floods_its_output_is_ended(tool: str, words: str) -> None:
    limits = replace(QUICK, message_bytes=1_000_000)
    async with running(raw_server(), limits=limits) as one:
        failure = await one.failure(tool)
        assert words in failure.message
        assert failure.details["outcome"] == "unknown"
        await answered(one)


async def test_stray_lines_are_ignored() -> None:
    async with running(raw_server()) as one:
        assert await one.data("stray") == "said"


async def test_values_are_resolved_for_every_start() -> None:
    tokens = iter(["first-token", "second-token"])

    def resolve() -> Mapping[str, str]:
        return {"TOKEN": next(tokens)}

    async with running(raw_server("", {"TOKEN": "declared"}), resolve=resolve) as one:
        assert (await one.data("environment"))["TOKEN"] == "first-token"
        await one.failure("die")
        assert (await one.data("environment"))["TOKEN"] == "second-token"


async def test_a_missing_value_fails_this_upstream_only() -> None:
    def resolve() -> Mapping[str, str]:
        raise SourceError("environment variable SHOP_TOKEN is not set")

    async with running(raw_server(), resolve=resolve) as one:
        assert one.status == {"status": "failed", "error": "environment variable SHOP_TOKEN is not set"}


async def test_no_more_children_than_slots() -> None:
    shared = Shared(ChildSlots(1))
    async with running(raw_server(), shared=shared), running(raw_server(), shared=shared) as second:
        assert second.status["status"] == "failed"
        assert "limit" in second.status["error"]
    assert shared.slots.taken == 0


# Recipe 10.
async def test_a_server_that_starts_slowly_is_reported_left_running_and_used_when_it_is_there(
    tmp_path: Path,
) -> None:
    gate, starts = fifo(tmp_path / "gate"), tmp_path / "starts"
    slow = raw_server("slow", {"GATE": str(gate), "STARTS": str(starts)})
    async with running(replace(slow, start_timeout_seconds=2.0)) as one:
        late = "the server has not answered within 2 s (`start_timeout`), and is left running"
        assert one.status == {"status": "failed", "error": f"{late}: waiting for the download"}
        assert not one.upstream.listed
        await asyncio.to_thread(gate.write_text, "go")
        await one.changes.until(lambda: one.status == {"status": "connected"})
        assert await one.data("echo", text="here") == "here"
        assert len(starts.read_text().split()) == 1, "it was started once"


async def test_the_log_of_a_server_is_debug_and_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "executor.mcp")
    async with running(raw_server("", {"TOKEN": "tok-secret-2"})) as one:
        await one.data("log")
        await one.failure("die")
    assert "tok-secret-2" not in logged(caplog)
    assert "level_there=info token [redacted]" in logged(caplog)
    assert "dying with [redacted]" in logged(caplog)


async def test_closing_is_quick_for_a_server_that_ends_when_its_input_does() -> None:
    async with running(raw_server(), limits=replace(QUICK, grace_seconds=PATIENCE)) as one:
        await one.data("pid")
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE


async def test_everybody_who_waits_gets_the_first_outcome() -> None:
    attempt = ConnectAttempt()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(attempt.result()) for _ in range(2)]
        first, second = McpError("closed", "first"), McpError("closed", "second")
        attempt.settle(first)
        attempt.settle(second)
    assert [task.result() for task in waiting] == [first, first]
    assert attempt.settled
    assert attempt.wanted


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    attempt = ConnectAttempt()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(attempt.result()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        attempt.settle(McpError("closed", "done"))
    assert str(waiting[1].result()) == "done"


def test_nobody_wants_a_fresh_attempt() -> None:
    attempt = ConnectAttempt()
    assert (attempt.wanted, attempt.settled) == (False, False)


def test_failures_wait_longer_and_longer_up_to_a_limit() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.after_failure() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_first_loss_is_repaired_at_once_and_the_next_ones_are_not() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.after_connection(1.0, proved=False) for _ in range(4)] == [0.0, 0.5, 1.0, 2.0]


def test_a_connection_that_held_or_carried_a_call_forgives() -> None:
    backoff = Backoff(0.5, 3.0)
    backoff.after_failure()
    backoff.after_failure()
    assert backoff.after_connection(31.0, proved=False) == 0.0
    backoff.after_failure()
    assert backoff.after_connection(0.1, proved=True) == 0.0


def test_a_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(0.5, 300.0, failures=10_000)
    assert backoff.after_failure() == 300.0
