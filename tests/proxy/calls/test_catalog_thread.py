"""The catalog's thread: steps, budgets, and accounts in turn. Only counts and orders."""

from __future__ import annotations

import asyncio
import threading

import pytest

from proxy.calls.catalog_thread import BudgetUsedUp, CatalogThread, WorkBudget
from proxy.catalog import CatalogSteps


def noting(name: str, steps: int, log: list[str], units: int = 1) -> CatalogSteps[str]:
    for _ in range(steps):
        yield units
        log.append(name)
    return name


async def test_the_answer_and_where_it_was_made() -> None:
    made: list[str] = []

    def steps() -> CatalogSteps[int]:
        yield 1
        made.append(threading.current_thread().name)
        return 5

    assert await CatalogThread().run("a", steps(), WorkBudget()) == 5
    assert made[0].startswith("catalog")


async def test_accounts_take_turns_by_step() -> None:
    """However much one account asks for at once, another waits for one step of it at a time."""
    log: list[str] = []
    thread = CatalogThread(slice_seconds=0.0, clock=iter(range(10_000)).__next__)
    jobs = [thread.run("greedy", noting("g", 10, log), WorkBudget()) for _ in range(5)]
    jobs.append(thread.run("modest", noting("m", 3, log), WorkBudget()))
    await asyncio.gather(*jobs)
    assert log.count("g") == 50
    last = len(log) - 1 - log[::-1].index("m")
    assert log[: last + 1].count("g") <= 5


async def test_a_budget_bounds_all_calls_of_an_execution_together() -> None:
    log: list[str] = []
    thread, budget = CatalogThread(), WorkBudget(25)
    jobs = [thread.run("a", noting("s", 1, log, units=10), budget) for _ in range(4)]
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(one, BudgetUsedUp) for one in ended] == [False, False, True, True]
    assert log == ["s", "s"]
    assert await thread.run("a", noting("cheap", 5, log), budget) == "cheap"  # what is left may be used
    assert budget.left == 0


async def test_an_error_is_the_callers_and_the_thread_goes_on() -> None:
    def broken() -> CatalogSteps[None]:
        yield 1
        raise LookupError("no")

    thread = CatalogThread()
    with pytest.raises(LookupError, match="no"):
        await thread.run("a", broken(), WorkBudget())
    assert await thread.run("a", noting("x", 1, []), WorkBudget()) == "x"


async def test_what_nobody_waits_for_is_not_done() -> None:
    log: list[str] = []
    thread = CatalogThread()
    began, may_end = threading.Event(), threading.Event()

    def blocking() -> CatalogSteps[None]:
        yield 1
        began.set()
        may_end.wait(30)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(thread.run("a", blocking(), WorkBudget()))
        second = tasks.create_task(thread.run("a", noting("x", 1, log), WorkBudget()))
        await asyncio.to_thread(began.wait, 30)
        second.cancel()
        may_end.set()
    assert await thread.run("a", noting("y", 1, log), WorkBudget()) == "y"
    assert log == ["y"]
