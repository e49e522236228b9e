"""The tasks that live as long as the server, all of them owned by one supervisor.

A task that fails is logged, counted (`executor_task_failures_total`) and started again after a growing pause. Only the
tasks of `ESSENTIAL` end the process when they fail: with a reason, and exit code 70.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from proxy.telemetry import Logger, MetricsRegistry

TASKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "http": "the listener of the server",
        "stdio": "the one client of `executor mcp`",
        "metrics": "the listener of `telemetry.metrics.listen`",
        "approval page": "the listener for approvals beside a client over stdio",
        "hints": "tells sessions of changes at other replicas",
        "reload": "reads and applies the config",
        "follow files": "asks for a reload when files changed",
        "file events": "hears of changed files; without it contents are compared now and then",
        "follow documents": "serves documents and tools of upstreams as they change",
        "follow registrations": "serves what the workspace API registered, here or at another replica",
        "recover executions": "goes on with what a dead process left behind",
        "hear replicas": "hears what other replicas did to executions",
        "webhook": "tells the approvals webhook of pauses",
        "count approvals": "asks the state store how many executions wait for a decision",
        "tell replicas": "tells other replicas what this one serves, and reads what they tell",
        "last good": "keeps the config that was applied last (`server.reload.last_good`)",
        "watch store": "asks whether the state store takes a write",
        "state messages": "the channel between replicas in Redis",
        "sandbox pool": "holds one pool of workers",
        "zygote": "starts the process that makes workers again when it ended",
        "transform": "compiles the TypeScript transform ahead of the first use",
        "garbage": "collects what an older config left behind, when nothing runs",
        "pauses": "measures how long the event loop stood still",
        "health": "probes one connection",
        "refresh": "loads one document again",
        "mcp": "keeps one session with an MCP server",
        "issuer": "asks an authorization server about the tokens of callers",
        "token": "asks an authorization server for one token",
        "closing": "closes what no config uses any more",
        "demo": "the upstream of `executor serve --demo`",
    }
)
"""Every long-lived task by the name it has in logs and metrics, and what it does."""

ESSENTIAL: Final = frozenset({"http", "stdio"})
"""Without these a process only looks as if it served."""

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 60.0
_STABLE_SECONDS: Final = 60.0
_log = Logger("tasks")


class EssentialTaskFailed(Exception):
    """A task without which the process cannot serve has failed. The text is the reason."""


T = TypeVar("T")
TaskWork = Callable[[], Coroutine[Any, Any, None]]


class TaskSupervisor:
    """Owns tasks by name. Whoever starts one stops it; `close` stops what is left.

    `first_pause_seconds` is before the first restart; it doubles with each failure, up to a minute.
    """

    def __init__(
        self, metrics: MetricsRegistry | None = None, *, first_pause_seconds: float = _FIRST_PAUSE_SECONDS
    ) -> None:
        self.metrics = metrics or MetricsRegistry()
        self._first_pause_seconds = first_pause_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self.failure: EssentialTaskFailed | None = None

    def keep(self, name: str, work: TaskWork, *, about: str = "", restart: bool = True) -> asyncio.Task[None]:
        """Run `work` until it returns or is cancelled; whenever it fails, run it again (unless `restart` is off).

        The task itself never fails. `name` is one of `TASKS`; `about` says in logs which of several it is.
        """
        assert name in TASKS, name
        title = f"{name} {about}".rstrip()
        task = asyncio.get_running_loop().create_task(self._run(name, title, work, restart), name=title)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def ask(
        self,
        name: str,
        work: Callable[[], Coroutine[Any, Any, T]],
        *,
        about: str = "",
        answers: tuple[type[Exception], ...] = (),
    ) -> asyncio.Future[T]:
        """Run `work` once, for everybody who waits for the future: they get its result or its error, and none of them
        can stop it by leaving. An error that is no answer is a failure of the task, also when nobody waits."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # An outcome that nobody waits for any more is no error.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())

        async def told() -> None:
            try:
                outcome.set_result(await work())
            except Exception as error:
                outcome.set_exception(error)
                if not isinstance(error, answers):
                    raise

        self.keep(name, told, about=about, restart=False).add_done_callback(lambda _: outcome.cancel())
        return outcome

    async def stop(self, *tasks: asyncio.Task[None] | None) -> None:
        """Cancel them, and return when they have ended."""
        started = [task for task in tasks if task is not None]
        for task in started:
            task.cancel()
        if started:
            await asyncio.wait(started)

    async def close(self) -> None:
        await self.stop(*self._tasks)

    async def failed(self) -> None:
        """Returns when an essential task has failed; `failure` then says which and why."""
        await self._failed.wait()

    def check(self) -> None:
        """Raises `EssentialTaskFailed` if an essential task has failed."""
        if self.failure is not None:
            raise self.failure

    async def _run(self, name: str, title: str, work: TaskWork, restart: bool) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            error = await _outcome(work)
            if error is None:
                return
            failures = 1 if loop.time() - began >= _STABLE_SECONDS else failures + 1
            self.metrics.count("executor_task_failures_total", task=name)
            if name in ESSENTIAL:
                self._give_up(title, error)
                return
            pause = min(self._first_pause_seconds * 2.0 ** min(failures - 1, 20), _LONGEST_PAUSE_SECONDS)
            self._say(title, error, failures, pause if restart else None)
            if not restart:
                return
            await asyncio.sleep(pause)

    def _say(self, title: str, error: BaseException, failures: int, pause: float | None) -> None:
        """The traceback is said once; while it goes on failing one line is enough."""
        fields = {"task": title, "failures": failures, "again_in_seconds": pause, "reason": _reason(error)}
        if failures == 1:
            _log.exception("task failed", error, **fields)
        else:
            _log.error("task failed again", **fields)

    def _give_up(self, title: str, error: BaseException) -> None:
        failure = EssentialTaskFailed(
            f"the task `{title}` failed, without which nothing is served: {_reason(error)}"
        )
        failure.__cause__ = error
        _log.exception("task failed, stopping", error, task=title, reason=_reason(error), exit_code=70)
        self.failure = self.failure or failure
        self._failed.set()


async def _outcome(work: TaskWork) -> BaseException | None:
    """What went wrong. A cancellation that nobody asked for is a failure like any other."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await work()
    except asyncio.CancelledError as error:
        if task.cancelling():
            raise
        return error
    except Exception as error:
        return error
    return None


def _reason(error: BaseException) -> str:
    """One line: of a group, its first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
