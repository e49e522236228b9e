"""What every store promises about the index of executions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.state import (
    Conflict,
    ExecutionQuery,
    ExecutionRecord,
    LeaseLost,
    PausedSummary,
    PendingFull,
    State,
)
from tests.proxy.state.stores import ALICE, BOB, EVE, Clock, Stores, record


def paused(clock: Clock, execution_id: str, **more: object) -> ExecutionRecord:
    fields: dict[str, object] = {"status": "paused", "due_at": clock.now + 60, "pending": 1, **more}
    return record(clock, execution_id, **fields)  # type: ignore[arg-type]


async def ids(state: State, query: ExecutionQuery) -> list[str]:
    return [found.execution_id for found in await state.list_executions(query)]


class ExecutionContract:
    async def test_a_record_comes_back_as_it_was_saved(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            full = paused(
                clock, "e1", session_id="mcp_1", pending=3, body=b"\x00\xff", created_at=clock.now - 0.125
            )
            saved = await state.save_execution(full)
            assert saved == replace(full, version=1)
            assert await other.find_execution("e1", "one") == saved
            plain = await state.save_execution(record(clock, "e2"))
            assert await other.find_execution("e2", "one") == plain

    async def test_a_record_is_found_in_its_workspace_only(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(record(clock, "e1"))
            assert await state.find_execution("e1", "two") is None
            assert await state.find_execution("e2", "one") is None

    async def test_a_record_expires(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(record(clock, "e1"))
            clock.now += 3600
            assert await state.find_execution("e1", "one") is None
            assert await state.list_executions(ExecutionQuery("one")) == ()
            assert (await state.save_execution(record(clock, "e1", body=b"new"))).version == 1

    async def test_only_the_newest_version_can_be_replaced(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            first = await state.save_execution(record(clock, "e1"))
            second = await other.save_execution(replace(first, status="settled", body=b"done"))
            assert second.version == 2
            for stale in (first, replace(first, version=0), replace(first, version=3)):
                with pytest.raises(Conflict):
                    await state.save_execution(stale)
            assert await state.find_execution("e1", "one") == second

    async def test_of_many_who_save_the_same_version_one_succeeds(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            first = await state.save_execution(record(clock, "e1"))
            tries = [
                (state, other)[n % 2].save_execution(replace(first, body=str(n).encode())) for n in range(20)
            ]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, ExecutionRecord)]
            assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
            assert await state.find_execution("e1", "one") == winner

    async def test_a_record_never_changes_its_owner(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            first = await state.save_execution(record(clock, "e1"))
            with pytest.raises(Conflict):
                await state.save_execution(replace(first, owner=BOB))

    async def test_only_the_holder_of_the_lease_saves(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            lease = await state.acquire_lease("e1", "a", 10)
            saved = await state.save_execution(record(clock, "e1"), lease=lease)
            clock.now += 10
            with pytest.raises(LeaseLost):
                await state.save_execution(saved, lease=lease)
            assert await state.find_execution("e1", "one") == saved

    async def test_lists_are_newest_first_and_filtered(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(paused(clock, "e1", session_id="s1"))
            clock.now += 1
            await state.save_execution(record(clock, "e2", BOB, session_id="s2"))
            await state.save_execution(paused(clock, "e3", owner=BOB, session_id="s2"))
            clock.now += 1
            await state.save_execution(record(clock, "e4", EVE, session_id="s1"))
            await state.save_execution(record(clock, "e5", status="settled"))
            assert await ids(state, ExecutionQuery("one")) == ["e5", "e3", "e2", "e1"]
            assert await ids(state, ExecutionQuery("two")) == ["e4"]
            assert await ids(state, ExecutionQuery("one", account_id=BOB.account_id)) == ["e3", "e2"]
            assert await ids(state, ExecutionQuery("one", status="paused")) == ["e3", "e1"]
            assert await ids(state, ExecutionQuery("one", ALICE.account_id, status="paused")) == ["e1"]
            assert await ids(state, ExecutionQuery("one", session_id="s2", status="running")) == ["e2"]

    async def test_lists_come_in_pages(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            for number in range(25):
                clock.now += number % 2
                await state.save_execution(record(clock, f"e{number:02}"))
            found: list[ExecutionRecord] = []
            while page := await state.list_executions(
                ExecutionQuery("one", before=found[-1] if found else None, limit=7)
            ):
                assert len(page) <= 7
                found += page
            assert [item.execution_id for item in found] == [
                f"e{number:02}" for number in reversed(range(25))
            ]

    async def test_a_status_that_changed_changes_the_lists(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            saved = await state.save_execution(paused(clock, "e1"))
            await state.save_execution(replace(saved, status="settled", due_at=None, pending=0))
            assert await ids(state, ExecutionQuery("one", status="paused")) == []
            assert await ids(state, ExecutionQuery("one", status="settled")) == ["e1"]
            clock.now += 61
            assert await state.unattended() == ()

    async def test_running_ones_without_a_lease_are_unattended(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            lease = await state.acquire_lease("e1", "a", 10)
            assert lease is not None
            kept = await state.save_execution(record(clock, "e1"), lease=lease)
            clock.now += 1
            left = await state.save_execution(record(clock, "e2", EVE))
            assert await other.unattended() == (left,)
            clock.now += 10
            assert await other.unattended() == (kept, left)
            assert await other.unattended(limit=1) in ((kept,), (left,))
            await other.acquire_lease("e1", "b", 10)
            assert await state.unattended() == (left,)

    async def test_paused_ones_that_are_due_are_unattended(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            saved = await state.save_execution(paused(clock, "e1"))
            await state.save_execution(paused(clock, "e2", due_at=clock.now + 120))
            assert await state.unattended() == ()
            clock.now += 60
            assert await state.unattended() == (saved,)
            await state.save_execution(replace(saved, status="settled", due_at=None))
            assert await state.unattended() == ()

    async def test_the_paused_ones_are_counted_with_the_first_end(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            assert await state.paused_summary() == PausedSummary(0, None, None)
            first = await state.save_execution(paused(clock, "e1", due_at=clock.now + 60, pending=3))
            await state.save_execution(paused(clock, "e2", owner=EVE, due_at=clock.now + 120))
            await state.save_execution(record(clock, "e3"))
            assert await other.paused_summary() == PausedSummary(2, first.due_at, "one")
            running = replace(first, status="running", due_at=None, pending=0)
            await state.save_execution(running)
            assert await other.paused_summary() == PausedSummary(1, clock.now + 120, EVE.workspace_id)
            clock.now += 120
            assert await other.paused_summary() == PausedSummary(0, None, None)

    async def test_an_owners_pending_decisions_are_capped(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            first = await state.save_execution(paused(clock, "e1", pending=2), pending_cap=3)
            with pytest.raises(PendingFull):
                await other.save_execution(paused(clock, "e2", pending=2), pending_cap=3)
            await other.save_execution(paused(clock, "e2", pending=1), pending_cap=3)
            await state.save_execution(paused(clock, "e3", owner=BOB, pending=3), pending_cap=3)
            await state.save_execution(replace(first, body=b"again"), pending_cap=3)
            clock.now += 60
            await state.save_execution(paused(clock, "e4", pending=3), pending_cap=3)

    async def test_the_cap_does_not_concern_other_statuses(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(record(clock, "e1", pending=9), pending_cap=1)
            await state.save_execution(paused(clock, "e2"), pending_cap=1)

    async def test_the_cap_holds_when_many_pause_at_once(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            tries = [
                (state, other)[n % 2].save_execution(paused(clock, f"e{n}"), pending_cap=5) for n in range(20)
            ]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(isinstance(outcome, PendingFull) for outcome in outcomes) == 15
            assert len(await ids(state, ExecutionQuery("one", status="paused"))) == 5
