from __future__ import annotations

import asyncio

from integrations.mcp.attempt import Attempt
from integrations.mcp.trouble import Trouble


async def test_everybody_who_waits_gets_the_first_outcome() -> None:
    attempt = Attempt()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(attempt.result()) for _ in range(2)]
        first, second = Trouble("closed", "first"), Trouble("closed", "second")
        attempt.settle(first)
        attempt.settle(second)
    assert [task.result() for task in waiting] == [first, first]
    assert attempt.settled
    assert attempt.wanted


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    attempt = Attempt()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(attempt.result()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        attempt.settle(Trouble("closed", "done"))
    assert str(waiting[1].result()) == "done"


def test_nobody_wants_a_fresh_attempt() -> None:
    attempt = Attempt()
    assert (attempt.wanted, attempt.settled) == (False, False)
