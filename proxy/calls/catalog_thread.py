"""The thread in which system tools search, describe and list, so that the event loop never waits for a catalog.

Rules:
- Work comes as a generator: before each step it says what the step costs, in units of work.
- An execution has a budget of units. What is beyond is refused, not queued.
- There is one thread. It works in slices: after each, whoever has used least of it is next, by account.
- Whatever a step reads is immutable, or a cache that two threads may use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from proxy.catalog import CatalogSteps
from proxy.fair import FairQueue
from proxy.sandbox.scheduling import favour_this_thread

T = TypeVar("T")
BUDGET_UNITS: Final = 10_000
_SLICE_SECONDS: Final = 0.01


class BudgetUsedUp(Exception):
    """An execution has used as much of the catalog's time as it may."""


class WorkBudget:
    """What one execution may still ask of the catalog, in units of work."""

    __slots__ = ("left",)

    def __init__(self, units: int = BUDGET_UNITS) -> None:
        self.left = units

    def spend(self, units: int) -> None:
        """Raises `BudgetUsedUp`; then nothing was spent, and cheaper work may still be done."""
        if units > self.left:
            raise BudgetUsedUp
        self.left -= units


@dataclass(slots=True)
class _Job:
    steps: CatalogSteps[Any]
    budget: WorkBudget
    answer: asyncio.Future[Any]


class CatalogThread:
    """`run` is called from one event loop. The thread starts with the first work and ends with this object."""

    def __init__(
        self, slice_seconds: float = _SLICE_SECONDS, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._slice_seconds = slice_seconds
        self._clock = clock
        self._queue: FairQueue[_Job] = FairQueue()
        self._thread = ThreadPoolExecutor(1, "catalog", favour_this_thread)
        self._working = False

    async def run(self, account: str, steps: CatalogSteps[T], budget: WorkBudget) -> T:
        """The answer of `steps`. Raises `BudgetUsedUp` and what the steps raise."""
        loop = asyncio.get_running_loop()
        job = _Job(steps, budget, loop.create_future())
        self._queue.push(account, job)
        self._go_on(loop)
        answer: T = await job.answer
        return answer

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread its next slice of work, if it has none."""
        while not self._working and (following := self._queue.pop()) is not None:
            account, job = following
            if job.answer.done():
                continue  # nobody waits for it any more
            self._working = True
            work = loop.run_in_executor(self._thread, self._slice, job)
            work.add_done_callback(partial(self._worked, loop, account, job))

    def _slice(self, job: _Job) -> tuple[float, bool, Any]:
        """In the thread: a slice of one job. What it took, whether it has ended, and with what."""
        began = self._clock()
        try:
            while True:
                job.budget.spend(next(job.steps))
                taken = self._clock() - began
                if taken >= self._slice_seconds:
                    return taken, False, None
        except StopIteration as end:
            return self._clock() - began, True, end.value

    def _worked(
        self,
        loop: asyncio.AbstractEventLoop,
        account: str,
        job: _Job,
        done: asyncio.Future[tuple[float, bool, Any]],
    ) -> None:
        self._working = False
        if done.cancelled():
            job.answer.cancel()
        elif (error := done.exception()) is not None:
            self._queue.charge(account, self._slice_seconds)
            if not job.answer.done():
                job.answer.set_exception(error)
        else:
            taken, ended, value = done.result()
            self._queue.charge(account, taken)
            if not ended:
                self._queue.put_back(account, job)
            elif not job.answer.done():
                job.answer.set_result(value)
        self._go_on(loop)
