"""Who computes now: only counts and orders."""

from __future__ import annotations

import asyncio

import pytest

from proxy.sandbox.foreground import Foreground, most_at_once
from proxy.sandbox.seats import Seats


def ignore(waits: bool) -> None:
    """Nobody listens."""


async def test_one_more_waits_and_is_told_when_it_begins_and_ends() -> None:
    seats = Seats(total=1, per_account=1, queue=9)
    told: list[bool] = []
    first, second = Foreground(seats, "a"), Foreground(seats, "b")
    await first.enter(told.append)
    await first.enter(told.append)
    assert (told, seats.busy) == ([], 1)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(second.enter(told.append))
        await asyncio.sleep(0)
        assert (told, waiting.done()) == ([True], False)
        first.leave()
    assert (told, seats.busy) == ([True, False], 1)
    second.leave()
    second.leave()
    assert seats.busy == 0


async def test_accounts_that_take_all_they_can_get_leave_something_for_the_next_one() -> None:
    seats = Seats(total=4, per_account=2, queue=99, one_each=True)
    entered: list[str] = []
    busy = [Foreground(seats, "greedy") for _ in range(8)] + [Foreground(seats, "other") for _ in range(8)]

    async def enter(one: Foreground, name: str) -> None:
        await one.enter(ignore)
        entered.append(name)

    async with asyncio.TaskGroup() as tasks:
        for place, one in enumerate(busy):
            tasks.create_task(enter(one, f"busy {place}"))
        tasks.create_task(enter(Foreground(seats, "modest"), "modest"))
        await asyncio.sleep(0)
        assert entered == ["busy 0", "busy 1", "busy 8", "modest"]
        for one in (*busy[1:], *busy):
            one.leave()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert len(entered) == 17


async def test_who_is_cancelled_while_it_waits_costs_nobody_a_seat() -> None:
    seats = Seats(total=1, per_account=1, queue=9)
    told: list[bool] = []
    first, second = Foreground(seats, "a"), Foreground(seats, "a")
    await first.enter(ignore)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.enter(told.append), 0.01)
    assert (told, seats.waiting) == ([True, False], 0)
    first.leave()
    second.leave()
    assert seats.busy == 0


async def test_without_seats_there_is_room() -> None:
    alone = Foreground()
    await alone.enter(ignore)
    alone.leave()
    assert most_at_once() >= 4
