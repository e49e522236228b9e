"""A supervisor that makes one task fail."""

from __future__ import annotations

import asyncio
from typing import Final

from proxy.tasks import TaskSupervisor, TaskWork

REASON: Final = "Too many open files"


class FailingSupervisor(TaskSupervisor):
    """The first run of the task `name` fails; with `skip`, that of a later one of this name. All others are real.

    `again` is set when the task runs once more after it has failed.
    """

    def __init__(self, name: str, skip: int = 0) -> None:
        super().__init__(first_pause_seconds=0.001)
        self.name = name
        self.again = asyncio.Event()
        self._left = skip + 1

    def keep(self, name: str, work: TaskWork, *, about: str = "", restart: bool = True) -> asyncio.Task[None]:
        self._left -= name == self.name
        if name != self.name or self._left:
            return super().keep(name, work, about=about, restart=restart)
        first = iter((True,))

        async def failing() -> None:
            if next(first, False):
                raise OSError(24, REASON)
            self.again.set()
            await work()

        return super().keep(name, failing, about=about, restart=restart)

    @property
    def failures(self) -> float:
        return self.metrics.value("executor_task_failures_total", task=self.name) or 0.0
