"""When garbage in cycles is collected, and how long nobody is answered.

A full collection goes over every object, and nearly all of them are the catalog: 75 to 120 ms with 1,200 tools, every
two seconds under load, half a second with 5,000. So what a generation is made of is frozen as soon as it serves: no
collection looks at it. A reload leaves little in cycles: its memory goes back to the system as it is. Only when the
process has grown by a tenth since the last time is the rest collected, when nobody has run anything for two seconds.
While there is always somebody it stays, until the process is twice as large: a pause of the loop has to be worth it,
and a reload alone, with two generations in memory, makes it half as large again.

Only commands that own their process do this: the collector belongs to the whole of it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from proxy.live import Live
from proxy.memory import give_back_holes, resident_bytes
from proxy.tasks import TaskSupervisor
from proxy.telemetry import MetricsRegistry

# How many objects are made before the youngest are looked at. Python's 700 cost twice as much in all, 10,000 make
# single looks of 8 ms.
_YOUNG: Final = 5_000
_LOOK_SECONDS: Final = 0.5
_QUIET_LOOKS: Final = 4
_GROWN: Final = 2.0
_WORTH_A_PAUSE: Final = 1.1
_TICK_SECONDS: Final = 0.05
_WINDOW_TICKS: Final = 600


ExecutionCounts = Callable[[], tuple[int, int]]
"""How many executions are under way, and how many have begun since the start."""


class Collector(Protocol):
    """What this module needs of the module `gc`; tests give their own."""

    def freeze(self) -> None: ...
    def unfreeze(self) -> None: ...
    def collect(self) -> int: ...


class Garbage:
    """`async with Garbage(tasks) as garbage`: until `follow` nothing is collected, for documents are being loaded."""

    def __init__(self, tasks: TaskSupervisor) -> None:
        self._tasks = tasks
        self._thresholds = gc.get_threshold()

    async def __aenter__(self) -> Garbage:
        gc.disable()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        gc.set_threshold(*self._thresholds)
        gc.enable()

    def follow(self, live: Live, activity: ExecutionCounts) -> None:
        """Freeze each generation that serves."""
        frozen = Frozen(gc, activity)
        frozen.on_swap()
        live.subscribe(lambda _: frozen.on_swap())
        gc.set_threshold(_YOUNG, *self._thresholds[1:])
        gc.enable()
        self._tasks.keep("garbage", frozen.run)
        self._tasks.keep("pauses", lambda: watch_pauses(self._tasks.metrics))


class Frozen:
    """What older generations left is collected once, when it disturbs nobody."""

    def __init__(
        self,
        collector: Collector,
        activity: ExecutionCounts,
        look_seconds: float = _LOOK_SECONDS,
        memory: Callable[[], int] = resident_bytes,
    ) -> None:
        self._collector = collector
        self._activity = activity
        self._look_seconds = look_seconds
        self._memory = memory
        self._kept = 0
        self._stale = asyncio.Event()

    def on_swap(self) -> None:
        """Another generation serves; the older one is let go of."""
        self._collector.freeze()
        self._kept = self._kept or self._memory()
        self._stale.set()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await self._stale.wait()
            await self._quiet()
            self._stale.clear()
            give_back_holes()
            if self._memory() > self._kept * _WORTH_A_PAUSE:
                self._collector.unfreeze()
                self._collector.collect()
                self._collector.freeze()
                give_back_holes()
                self._kept = self._memory()

    async def _quiet(self) -> None:
        """Some looks after each other found that nothing ran and nothing had begun, or memory is at stake."""
        looks, before = 0, self._activity()
        while looks < _QUIET_LOOKS and self._memory() <= self._kept * _GROWN:
            await asyncio.sleep(self._look_seconds)
            now = self._activity()
            looks = looks + 1 if now == before and not now[0] else 0
            before = now


async def watch_pauses(metrics: MetricsRegistry, tick_seconds: float = _TICK_SECONDS) -> None:
    """Tell the longest pause of the event loop in the last half minute to a minute. Runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    before = longest = 0.0
    while True:
        for _ in range(_WINDOW_TICKS):
            due = loop.time() + tick_seconds
            await asyncio.sleep(tick_seconds)
            late = loop.time() - due
            if late > longest:
                longest = late
                metrics.set("executor_loop_pause_seconds", max(before, longest))
        before, longest = longest, 0.0
        metrics.set("executor_loop_pause_seconds", before)
