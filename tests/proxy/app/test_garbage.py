"""What a generation is made of is frozen; what older ones left is collected when nothing runs."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from proxy.app.garbage import Frozen, Garbage, watch_pauses
from proxy.live import Live
from proxy.tasks import TaskSupervisor
from proxy.telemetry import MetricsRegistry
from tests.proxy.failing import FailingSupervisor

STEPS = ["freeze", "unfreeze", "collect", "freeze"]


@dataclass
class Recorder:
    """A collector that only writes down what it is asked for."""

    steps: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def freeze(self) -> None:
        self.steps.append("freeze")
        if self.steps[-2:-1] == ["collect"]:
            self.done.set()

    def unfreeze(self) -> None:
        self.steps.append("unfreeze")

    def collect(self) -> int:
        self.steps.append("collect")
        return 0


@asynccontextmanager
async def running(frozen: Frozen) -> AsyncIterator[None]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(frozen.run())
        yield
        task.cancel()


def growing() -> Callable[[], int]:
    """Memory that becomes more with every look, though not twice as much."""
    sizes = itertools.count(1000, 60)
    return lambda: next(sizes)


async def test_a_swap_freezes_at_once_and_collects_later() -> None:
    recorder = Recorder()
    frozen = Frozen(recorder, lambda: (0, 0), 0, growing())
    frozen.on_swap()
    assert recorder.steps == ["freeze"]
    async with running(frozen):
        await recorder.done.wait()
        assert recorder.steps == STEPS
        recorder.done.clear()
        frozen.on_swap()
        await recorder.done.wait()
    assert recorder.steps == STEPS * 2


@pytest.mark.parametrize("disturbed", [(1, 1), (0, 2)], ids=["one runs", "one has run"])
async def test_nothing_is_collected_while_executions_come(disturbed: tuple[int, int]) -> None:
    recorder, looked, seen = Recorder(), asyncio.Event(), [(0, 1), (0, 1), (0, 1), disturbed]

    def activity() -> tuple[int, int]:
        if not seen:
            looked.set()
            return 0, 2
        assert recorder.steps == ["freeze"]
        return seen.pop(0)

    frozen = Frozen(recorder, activity, 0, growing())
    frozen.on_swap()
    async with running(frozen):
        await recorder.done.wait()
    assert looked.is_set()


async def test_a_server_that_is_never_quiet_collects_when_it_has_grown() -> None:
    recorder, sizes = Recorder(), [100, 100, 200, 201, 201, 50]
    frozen = Frozen(recorder, lambda: (1, 1), 0, lambda: sizes.pop(0))
    frozen.on_swap()
    async with running(frozen):
        await recorder.done.wait()
    assert recorder.steps == STEPS


async def test_what_is_not_worth_a_pause_stays() -> None:
    recorder, looks, sizes = Recorder(), asyncio.Semaphore(0), [100] * 5 + [110] + [100] * 4 + [111, 90]

    def memory() -> int:
        looks.release()
        return sizes.pop(0)

    frozen = Frozen(recorder, lambda: (0, 0), 0, memory)
    frozen.on_swap()
    async with running(frozen):
        for _ in range(6):
            await looks.acquire()
        assert recorder.steps == ["freeze"]
        frozen.on_swap()
        await recorder.done.wait()
    assert recorder.steps == ["freeze", *STEPS]


class _Knot:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
async def test_what_an_older_generation_left_is_freed() -> None:
    knot = _Knot()
    seen, gone = weakref.ref(knot), asyncio.Event()
    weakref.finalize(knot, gone.set)
    frozen = Frozen(gc, lambda: (0, 0), 0, growing())
    frozen.on_swap()
    del knot
    gc.collect()
    assert seen() is not None  # frozen: this is why it must be collected again
    async with running(frozen):
        await gone.wait()


async def test_the_collector_is_given_back_as_it_was() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    tasks = TaskSupervisor()
    async with Garbage(tasks) as garbage:
        assert not gc.isenabled()
        garbage.follow(Live(lambda _: None), lambda: (1, 1))
        assert gc.isenabled()
        assert gc.get_freeze_count() > before[1]
        await tasks.close()
    assert gc.isenabled()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


async def test_a_pause_of_the_loop_is_told() -> None:
    metrics = MetricsRegistry()

    def told() -> float | None:
        return metrics.value("executor_loop_pause_seconds")

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(watch_pauses(metrics, 0.001))
        while not told():
            sum(range(1_000_000))
            await asyncio.sleep(0)
        task.cancel()
    assert (told() or 0) > 0


@pytest.mark.usefixtures("thawed")
async def test_looking_that_fails_is_counted_and_done_again() -> None:
    tasks = FailingSupervisor("garbage")
    async with asyncio.timeout(20), Garbage(tasks) as garbage:
        garbage.follow(Live(lambda _: None), lambda: (0, 0))
        await tasks.again.wait()
        assert tasks.failures == 1
        await tasks.close()


@pytest.mark.usefixtures("thawed")
async def test_measuring_that_fails_is_counted_and_done_again() -> None:
    tasks = FailingSupervisor("pauses")
    async with asyncio.timeout(20), Garbage(tasks) as garbage:
        garbage.follow(Live(lambda _: None), lambda: (0, 0))
        await tasks.again.wait()
        while not tasks.metrics.value("executor_loop_pause_seconds"):
            sum(range(1_000_000))
            await asyncio.sleep(0)
        assert tasks.failures == 1
        await tasks.close()
