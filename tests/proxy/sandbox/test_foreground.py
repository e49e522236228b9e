"""Who computes now: only counts and orders."""

from __future__ import annotations

import asyncio

import pytest

from proxy.sandbox.foreground import Foreground, ForegroundPlace, RecentUse, most_at_once


def ignore(waits: bool) -> None:
    """Nobody listens."""


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_more_of_an_account_waits_and_is_told_when_it_begins_and_ends() -> None:
    foreground = Foreground(1)
    told: list[bool] = []
    first, second = foreground.place("a"), foreground.place("a")
    await first.enter(told.append)
    await first.enter(told.append)
    assert (told, foreground.busy) == ([], 1)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(second.enter(told.append))
        await settle()
        assert (told, waiting.done()) == ([True], False)
        first.leave()
    assert (told, foreground.busy) == ([True, False], 1)
    second.leave()
    second.leave()
    assert foreground.busy == 0


async def test_nobody_waits_for_another_account() -> None:
    foreground = Foreground(2)
    for account in ("a", "b", "c", "d"):
        await foreground.place(account).enter(ignore)
    assert foreground.busy == 4


async def test_next_is_the_account_that_has_used_least() -> None:
    foreground, entered = Foreground(2), list[str]()
    inside = {name: foreground.place(name) for name in ("greedy", "other")}
    more = {name: foreground.place(name) for name in inside}

    async def enter(name: str) -> None:
        await more[name].enter(ignore)
        entered.append(name)

    for place in inside.values():
        await place.enter(ignore)
    async with asyncio.TaskGroup() as tasks:
        for name in more:
            tasks.create_task(enter(name))
        await settle()
        inside["greedy"].charge(0.1)
        inside["other"].charge(0.05)
        assert entered == []
        inside["greedy"].leave()
        await settle()
        assert entered == ["other"]
        inside["other"].leave()
    assert entered == ["other", "greedy"]


async def test_who_has_several_leases_and_used_most_is_behind_while_others_are_here() -> None:
    now = 100.0
    foreground = Foreground(2, lambda: now)
    greedy, again = foreground.place("greedy"), foreground.place("greedy")
    greedy.charge(5.0)
    assert not greedy.behind  # alone, it is before nobody
    modest, small = foreground.place("modest"), foreground.place("small")
    modest.charge(0.1)
    small.charge(4.0)
    assert [one.behind for one in (greedy, again, modest, small)] == [True, True, False, False]
    again.give_up()
    assert not greedy.behind  # one at a time is not greedy
    again = foreground.place("greedy")
    now += 200.0  # what was used long ago does not count
    assert not greedy.behind
    greedy.charge(5.0)
    modest.give_up()
    small.give_up()
    assert not greedy.behind


async def test_those_behind_have_half_of_the_room_and_wait_for_others_too() -> None:
    foreground, entered = Foreground(2), list[str]()
    greedy = [foreground.place("greedy") for _ in range(3)]
    other = foreground.place("other")
    greedy[0].charge(5.0)

    async def enter(name: str, place: ForegroundPlace) -> None:
        await place.enter(ignore)
        entered.append(name)

    await other.enter(ignore)
    async with asyncio.TaskGroup() as tasks:
        for number, place in enumerate(greedy):
            tasks.create_task(enter(f"greedy {number}", place))
        await settle()
        assert entered == []
        modest = foreground.place("modest")
        await modest.enter(ignore)  # at once: it is not behind
        other.leave()
        await settle()
        assert entered == []
        modest.leave()
        await settle()
        assert entered == ["greedy 0"]
        for place in greedy:
            place.leave()
            await settle()
    assert entered == ["greedy 0", "greedy 1", "greedy 2"]
    assert foreground.busy == 0


def test_use_of_long_ago_counts_less_and_few_accounts_are_remembered() -> None:
    now = 100.0
    used = RecentUse(lambda: now)
    used.add("a", 4.0)
    now += 20.0
    assert used.of("a") == pytest.approx(1.0)
    used.add("a", 1.0)
    assert used.of("a") == pytest.approx(2.0)
    assert used.of("nobody") == 0.0
    for number in range(2_000):
        used.add(f"other{number}", 0.5)
    assert used.of("a") == pytest.approx(2.0)
    assert sum(used.of(f"other{number}") for number in range(2_000)) < 501


async def test_who_is_cancelled_while_it_waits_costs_nobody_a_place() -> None:
    foreground = Foreground(1)
    told: list[bool] = []
    first, second, third = (foreground.place("a") for _ in range(3))
    await first.enter(ignore)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.enter(told.append), 0.01)
    assert told == [True, False]
    late = asyncio.ensure_future(third.enter(ignore))  # noqa: TID251
    await settle()
    first.leave()
    late.cancel()  # just as it is let in
    await asyncio.wait([late])
    second.leave()
    third.leave()
    assert foreground.busy == 0


async def test_without_a_foreground_there_is_room() -> None:
    alone = ForegroundPlace()
    await alone.enter(ignore)
    alone.charge(1.0)
    alone.leave()
    assert not alone.behind
    assert most_at_once() >= 4
