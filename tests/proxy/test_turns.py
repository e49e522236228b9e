"""Whose work the loop does next: only orders."""

from __future__ import annotations

import asyncio
from collections import Counter

from proxy.turns import ROUNDS, Turns


async def rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nobody_waits_who_is_alone() -> None:
    turns, done = Turns(), list[int]()

    async def work(number: int) -> None:
        await turns.take("a")
        done.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(work(number))
        await rounds(1)
        assert done == list(range(20))


async def test_a_turn_lasts_and_then_the_one_with_fewest_requests_is_next() -> None:
    under_way = Counter({"greedy": 8, "other": 8, "modest": 1})
    turns, done = Turns(under_way.__getitem__), list[str]()

    async def work(account: str) -> None:
        await turns.take(account)
        done.append(account)

    async with asyncio.TaskGroup() as tasks:
        for account in ("greedy", "greedy", "other", "greedy", "greedy", "other", "modest"):
            tasks.create_task(work(account))
        await rounds(2)
        # The second one came before anybody else did.
        assert done == ["greedy", "greedy"]
        await rounds(ROUNDS)
        assert done == ["greedy", "greedy", "modest"]
        tasks.create_task(work("modest"))  # its turn lasts, but others wait: it may not prolong it
        await rounds(2 * ROUNDS)
        assert done[3:] == ["modest", "other"]
    # Of equals, the one whose turn was longer ago.
    assert done[5:] == ["greedy", "other", "greedy"]


async def test_who_gives_up_costs_nobody_a_turn() -> None:
    turns, done = Turns(), list[str]()
    await turns.take("a")

    async def work(account: str) -> None:
        await turns.take(account)
        done.append(account)

    async with asyncio.TaskGroup() as tasks:
        leaving = tasks.create_task(work("b"))
        tasks.create_task(work("c"))
        await rounds(1)
        leaving.cancel()
        await rounds(ROUNDS + 1)
        assert done == ["c"]
