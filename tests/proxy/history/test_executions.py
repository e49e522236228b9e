"""Stored and remembered executions are one list; each caller finds what it may see."""

from __future__ import annotations

import time
from typing import Any

import pytest

from proxy.executions import ExecutionRequest
from proxy.executions.records import new_body, new_record, running_record
from proxy.history.executions import ExecutionFilter, PastExecutions
from proxy.history.recent import RecentExecutions
from proxy.principal import Principal
from proxy.state import MemoryState
from tests.proxy.history.seen import ANN, BOB, call, end

ALL = ExecutionFilter()
DAY_MS = 86_400_000.0


class Past:
    """A store and a memory with some executions; those of the store run, those remembered are over."""

    def __init__(self) -> None:
        self.state, self.recent = MemoryState(), RecentExecutions("r1")
        self.reader = PastExecutions(self.state, self.recent)
        self.now_ms = time.time() * 1000

    async def store(self, name: str, ago: float, who: Principal = ANN) -> None:
        body = new_body(ExecutionRequest(code="return 1"), who, "sha")
        record = new_record(name, who, body, self.now_ms - ago, DAY_MS)
        await self.state.save_execution(running_record(record, body))

    def remember(self, name: str, ago: float, who: Principal = ANN, **changes: Any) -> None:
        self.recent.called(call(name, who=who))
        self.recent.executed(end(name, who=who, began_ms=self.now_ms - ago, **changes))

    async def ids(
        self, wanted: ExecutionFilter = ALL, *, everything: bool = True, who: Principal = ANN
    ) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        for _ in range(30):
            page = await self.reader.page(who, wanted, everything=everything, cursor=cursor, limit=3)
            found += [one.id for one in page.items]
            cursor = page.cursor
            if cursor is None:
                return found
        raise AssertionError("the pages do not end")


async def test_both_kinds_are_one_list_in_order_over_all_pages() -> None:
    past = Past()
    for number in range(5):
        await past.store(f"exec_s{number}", number * 1000)
        past.remember(f"exec_m{number}", number * 1000 + 500)
    past.remember("exec_s0", 0)
    assert await past.ids() == [f"exec_{kind}{number}" for number in range(5) for kind in "sm"]


async def test_everybody_sees_their_own_and_who_may_all() -> None:
    past = Past()
    await past.store("exec_a", 1)
    past.remember("exec_b", 2, BOB)
    assert await past.ids(everything=False) == ["exec_a"]
    assert await past.ids(everything=False, who=BOB) == ["exec_b"]
    assert await past.ids() == ["exec_a", "exec_b"]
    assert await past.reader.find("exec_b", ANN, everything=False) is None
    assert (
        await past.reader.find("exec_b", Principal("other", BOB.account_id, "user"), everything=True) is None
    )
    found = await past.reader.find("exec_b", BOB, everything=False)
    assert found is not None
    assert (found.state, found.code, found.duration_ms) == ("completed", "return 1", 0.0)


async def test_filters() -> None:
    past = Past()
    await past.store("exec_run", 1)
    past.remember("exec_failed", 2, BOB, status="failed")
    past.remember("exec_canceled", 3, status="canceled")
    assert await past.ids(ExecutionFilter("running")) == ["exec_run"]
    assert await past.ids(ExecutionFilter("failed")) == ["exec_failed"]
    assert await past.ids(ExecutionFilter("other")) == ["exec_canceled"]
    assert await past.ids(ExecutionFilter(account="user:bob")) == ["exec_failed"]
    assert await past.ids(ExecutionFilter(tool="items.list")) == ["exec_failed", "exec_canceled"]
    assert await past.ids(ExecutionFilter(tool="orders")) == []


async def test_a_rare_match_is_found_without_reading_everything_for_one_page() -> None:
    past = Past()
    for number in range(620):
        await past.store(f"exec_{number:04}", number * 1000)
    await past.store("exec_rare", 700_000, BOB)
    wanted = ExecutionFilter(account="user:bob")
    first = await past.reader.page(ANN, wanted, everything=True)
    assert (first.items, first.cut) == ((), True)
    assert await past.ids(wanted) == ["exec_rare"]


@pytest.mark.parametrize("cursor", ["", "x", "1_", "1.5_a b", "1e9_exec_a"])
async def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await Past().reader.page(ANN, ALL, everything=True, cursor=cursor)


async def test_the_timeline_of_one_that_only_this_process_knows() -> None:
    past = Past()
    past.remember("exec_m", 100)
    found = await past.reader.find("exec_m", ANN, everything=False)
    assert found is not None
    drawn = past.reader.timeline(found)
    assert [one.path for one in drawn.calls] == ["shop.org.main.items.list"]
    assert drawn.replicas == ("r1",)


async def test_what_changes_with_every_call_and_end() -> None:
    past = Past()
    past.recent.called(call("exec_a"))
    first = past.reader.latest(ANN, everything=False)
    past.recent.called(call("exec_a", 1))
    second = past.reader.latest(ANN, everything=False)
    past.recent.executed(end("exec_a"))
    assert (first, second) == ([["exec_a", "running", 1]], [["exec_a", "running", 2]])
    assert past.reader.latest(ANN, everything=True) == [["exec_a", "completed", 2]]
    assert past.reader.latest(BOB, everything=False) == []
