import asyncio
import logging
from dataclasses import replace

import pytest
from limits.errors import StorageError

from policies import PatternError
from proxy.config.model import DEFAULT_RATE_LIMITS, AppliesTo
from proxy.limits import (
    Denied,
    LimitRule,
    LimitSubject,
    MemoryWindows,
    RateLimiter,
    RateWindow,
    limit_rules,
)
from proxy.limits.limiter import MAX_WAITING_PER_ACCOUNT
from tests.proxy.limits.clock import Clock
from tests.proxy.support import logged

EVA = LimitSubject("ws", user="eva", ip="10.0.0.1")
BOB = LimitSubject("ws", user="bob", ip="10.0.0.1")
CALLS = LimitRule("calls", "connection", "tool_calls", RateWindow(1, 10), pattern="github.*")


class DownStorage(MemoryWindows):
    """A store that cannot be reached while `down`; it counts how often it was asked."""

    down = True
    asked = 0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self.asked += 1
        if not self.down:
            return await super().acquire_entry(key, limit, expiry, amount)
        raise StorageError(ConnectionError("down"))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        raise StorageError(ConnectionError("down"))


class Desk:
    """RateLimiter over one storage and one clock."""

    def __init__(self, *rules: LimitRule) -> None:
        self.clock = Clock()
        self.storage = MemoryWindows(self.clock)
        self.limits = self.reloaded(*rules)

    def reloaded(self, *rules: LimitRule) -> RateLimiter:
        return RateLimiter(rules, self.storage, clock=self.clock, sleep=self.clock.sleep)

    async def request(self, subject: LimitSubject = EVA) -> Denied | None:
        return await self.limits.check("requests", subject)


async def test_over_the_limit_it_names_itself_and_the_time() -> None:
    desk = Desk(LimitRule("mine", "user", "requests", RateWindow(2, 60)))
    assert await desk.request() is None
    desk.clock.now += 20
    assert await desk.request() is None
    denied = await desk.request()
    assert denied is not None
    assert denied == Denied("mine", 40_001, "user")
    assert denied.retry_after_seconds == 41
    assert await desk.request(BOB) is None
    desk.clock.now += denied.retry_after_ms / 1000
    assert await desk.request() is None


async def test_all_limits_that_fit_apply_and_a_refusal_costs_nothing() -> None:
    desk = Desk(
        LimitRule("all", "server", "requests", RateWindow(3, 60)),
        LimitRule("each", "user", "requests", RateWindow(1, 60)),
    )
    assert await desk.request() is None
    for _ in range(10):
        denied = await desk.request()
        assert denied is not None
        assert denied.name == "each"
    assert await desk.request(BOB) is None  # the ten refusals did not count for `all`
    denied = await desk.request(replace(BOB, user="joe"))
    assert denied is None
    denied = await desk.request(replace(BOB, user="ann"))
    assert denied is not None
    assert denied.name == "all"


async def test_a_limit_counts_only_what_it_applies_to() -> None:
    desk = Desk(LimitRule("runs", "workspace", "executions", RateWindow(1, 60)))
    assert await desk.request() is None
    assert await desk.request() is None
    assert await desk.limits.check("executions", EVA) is None
    assert await desk.limits.check("executions", EVA) is not None


async def test_patterns_and_targets() -> None:
    desk = Desk(CALLS)
    check = desk.limits.check
    assert await check("tool_calls", EVA.calling("github.org.main.repos.get")) is None
    assert await check("tool_calls", EVA.calling("crm.org.main.get")) is None
    assert await check("tool_calls", EVA.calling("github.org.other.repos.get")) is None
    denied = await check("tool_calls", BOB.calling("github.org.main.repos.list"))
    assert denied == Denied("calls", 10_001, "connection")
    applying = desk.limits.applying("tool_calls", EVA.calling("github.org.main.repos.get"))
    assert [rule.name for rule in applying] == ["calls"]


async def test_counters_survive_a_reload_also_when_the_numbers_change() -> None:
    desk = Desk(LimitRule("mine", "user", "requests", RateWindow(2, 60)))
    assert await desk.request() is None
    assert await desk.request() is None
    desk.limits = desk.reloaded(LimitRule("mine", "user", "requests", RateWindow(2, 60)))
    assert await desk.request() is not None
    desk.limits = desk.reloaded(LimitRule("mine", "user", "requests", RateWindow(3, 60)))
    assert await desk.request() is None
    assert await desk.request() is not None


async def test_tool_calls_are_held_back_as_long_as_the_rule_says() -> None:
    desk = Desk(replace(CALLS, wait_seconds=15.0))
    call = EVA.calling("github.org.main.repos.get")
    assert await desk.limits.check("tool_calls", call) is None
    assert await desk.limits.check("tool_calls", call) is None
    assert desk.clock.slept == [pytest.approx(10.001)]
    desk.limits = desk.reloaded(replace(CALLS, wait_seconds=5.0))
    denied = await desk.limits.check("tool_calls", call)
    assert denied is not None
    assert len(desk.clock.slept) == 1


@pytest.mark.parametrize("applies_to", ["requests", "executions"])
async def test_a_short_wait_is_no_refusal(applies_to: AppliesTo) -> None:
    desk = Desk(LimitRule("mine", "user", applies_to, RateWindow(1, 2)))
    assert await desk.limits.check(applies_to, EVA) is None
    desk.clock.now += 0.5
    assert await desk.limits.check(applies_to, EVA) is None
    assert len(desk.clock.slept) == 1
    assert 1.5 <= desk.clock.slept[0] < 1.6


async def test_what_would_wait_longer_is_refused_at_once() -> None:
    desk = Desk(LimitRule("mine", "user", "requests", RateWindow(1, 10)))
    assert await desk.request() is None
    assert await desk.request() is not None
    assert desk.clock.slept == []


async def test_workspaces_may_have_another_number() -> None:
    rule = LimitRule("all", "workspace", "requests", RateWindow(1, 60), workspaces={"big": RateWindow(3, 60)})
    desk = Desk(rule)
    assert [await desk.request() is None for _ in range(2)] == [True, False]
    big = replace(EVA, workspace="big")
    assert [await desk.request(big) is None for _ in range(4)] == [True, True, True, False]


async def test_only_so_many_wait() -> None:
    clock, released = Clock(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        await released.wait()
        clock.now += seconds

    limits = RateLimiter([replace(CALLS, wait_seconds=60.0)], MemoryWindows(clock), clock=clock, sleep=sleep)
    calls = [replace(EVA, user=name).calling("github.org.main.repos.get") for name in ("eva", "bob", "kim")]
    assert await limits.check("tool_calls", calls[0]) is None
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = []
        for call in calls[:2]:
            for _ in range(MAX_WAITING_PER_ACCOUNT):
                waiting.append(group.create_task(limits.check("tool_calls", call)))
            await asyncio.sleep(0)
            # Its own share is used up; those of others are not, until all wait.
            assert await limits.check("tool_calls", call) is not None
        assert await limits.check("tool_calls", calls[2]) is not None
        released.set()
    assert any(task.result() is None for task in waiting)
    assert not limits._waiting


@pytest.mark.parametrize("mode", ["allow", "deny"])
async def test_while_the_store_is_down_each_limit_does_what_it_says(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    rule = LimitRule("mine", "user", "requests", RateWindow(1, 60), on_store_failure=mode)  # type: ignore[arg-type]
    limits = RateLimiter([rule], DownStorage())
    with caplog.at_level(logging.WARNING):
        denied = await limits.check("requests", EVA)
    assert denied == (None if mode == "allow" else Denied("mine", 1_000, "user", store_failed=True))
    if denied is not None:
        assert denied.reason == (
            "cannot be counted, because the state store does not answer (its `on_store_failure` is `deny`)"
        )
    assert "limit_counters_away" in logged(caplog)


async def test_a_store_that_is_down_is_asked_once_a_second_and_told_of_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, storage = Clock(), DownStorage()
    limits = RateLimiter([LimitRule("mine", "user", "requests", RateWindow(9, 60))], storage, clock=clock)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            assert await limits.check("requests", EVA) is None
        assert storage.asked == 1
        clock.now += 1
        storage.down = False
        for _ in range(5):
            assert await limits.check("requests", EVA) is None
    assert storage.asked == 6
    assert [record.message for record in caplog.records] == [
        "limit_counters_away",
        "limit_counters_back",
    ]


async def test_the_default() -> None:
    clock = Clock()
    limits = RateLimiter(limit_rules(DEFAULT_RATE_LIMITS), MemoryWindows(clock), clock=clock)
    assert [await limits.check("requests", EVA) for _ in range(100)] == [None] * 100
    denied = await limits.check("requests", BOB)
    assert denied == Denied("per-workspace", 60_001, "workspace")


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(PatternError):
        RateLimiter([replace(CALLS, pattern="github.x")], MemoryWindows())
