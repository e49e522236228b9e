"""The supervisor of long-lived tasks: what fails is said, counted and run again; only essential tasks give up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from proxy.tasks import ESSENTIAL, TASKS, EssentialTaskFailed, TaskSupervisor
from tests.proxy.support import LIMIT_SECONDS, supervised


class Failing:
    """Work that fails a number of times and then goes on for ever."""

    def __init__(
        self, times: int, error: Callable[[], BaseException] = lambda: OSError(24, "Too many open files")
    ):
        self.left = times
        self.runs = 0
        self.error = error
        self.well = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        if self.left:
            self.left -= 1
            raise self.error()
        self.well.set()
        await asyncio.Event().wait()


def quick() -> TaskSupervisor:
    return TaskSupervisor(first_pause_seconds=0.001)


def failures(tasks: TaskSupervisor, name: str) -> float:
    return tasks.metrics.value("executor_task_failures_total", task=name) or 0.0


@pytest.mark.parametrize(
    "error",
    [
        lambda: OSError(24, "Too many open files"),
        lambda: RuntimeError("can't start new thread"),
        lambda: MemoryError(),
        lambda: ExceptionGroup("unhandled", [KeyError("inner")]),
        # Nobody cancelled the task: a library did it to itself.
        lambda: asyncio.CancelledError(),
    ],
)
async def test_whatever_a_task_raises_it_runs_again(
    error: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    tasks, work = quick(), Failing(3, error)
    task = tasks.keep("webhook", work)
    async with asyncio.timeout(LIMIT_SECONDS):
        await work.well.wait()
    assert (work.runs, failures(tasks, "webhook"), tasks.failure) == (4, 3.0, None)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["task failed", "task failed again", "task failed again"]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False]
    await tasks.stop(task)
    assert task.cancelled()


async def test_the_pause_grows(caplog: pytest.LogCaptureFixture) -> None:
    tasks, work = quick(), Failing(5)
    tasks.keep("health", work, about="shop.org.main")
    async with asyncio.timeout(LIMIT_SECONDS):
        await work.well.wait()
    fields = [getattr(record, "event_fields", {}) for record in caplog.records]
    assert [one["again_in_seconds"] for one in fields] == [0.001, 0.002, 0.004, 0.008, 0.016]
    assert {one["task"] for one in fields} == {"health shop.org.main"}
    await tasks.close()


async def test_work_that_returns_is_done() -> None:
    async with supervised() as tasks:

        async def work() -> None:
            return None

        await tasks.keep("transform", work)
        assert failures(tasks, "transform") == 0.0


async def test_what_must_not_run_twice_is_not_started_again(caplog: pytest.LogCaptureFixture) -> None:
    async with supervised() as tasks:
        work = Failing(1)
        await tasks.keep("closing", work, restart=False)
        assert (work.runs, failures(tasks, "closing")) == (1, 1.0)
    assert caplog.records[0].levelno == logging.ERROR


@pytest.mark.parametrize("name", sorted(ESSENTIAL))
async def test_an_essential_task_is_given_up_with_a_reason(name: str) -> None:
    async with supervised() as tasks:
        work = Failing(1)
        await tasks.keep(name, work)
        await tasks.failed()
        assert (work.runs, failures(tasks, name)) == (1, 1.0)
        with pytest.raises(
            EssentialTaskFailed, match=rf"`{name}` failed, .*: OSError: \[Errno 24\] Too many"
        ):
            tasks.check()


async def test_all_are_stopped_at_the_end() -> None:
    tasks, works = quick(), [Failing(0), Failing(10**6)]
    kept = [tasks.keep("webhook", work) for work in works]
    async with asyncio.timeout(LIMIT_SECONDS):
        await works[0].well.wait()
        await tasks.close()
    assert all(task.done() for task in kept)


def test_only_known_tasks_are_essential() -> None:
    assert TASKS.keys() >= ESSENTIAL


async def test_who_waits_for_what_was_asked_gets_its_outcome_and_stops_nothing() -> None:
    tasks, gate = TaskSupervisor(), asyncio.Event()

    async def answer() -> int:
        await gate.wait()
        return 5

    async def wrong() -> int:
        raise ValueError("wrong")

    asked = tasks.ask("issuer", answer, about="one")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.shield(asked)
    gate.set()
    assert await asked == 5
    with pytest.raises(ValueError, match="wrong"):
        await tasks.ask("issuer", wrong, answers=(ValueError,))
    assert not tasks.metrics.value("executor_task_failures_total", task="issuer")
    with pytest.raises(ValueError, match="wrong"):
        await tasks.ask("issuer", wrong)
    assert tasks.metrics.value("executor_task_failures_total", task="issuer") == 1
    gate.clear()
    last = tasks.ask("issuer", answer)
    await tasks.close()
    assert last.cancelled()
