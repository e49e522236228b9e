"""Work that goes on when the request that began it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Outliving:
    """Owns its tasks until they end. They end with what they run: drain ends every execution."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result; when the caller is cancelled meanwhile, the work is not."""
        task = asyncio.ensure_future(work)  # noqa: TID251 - owned by this object until it ends
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that nothing is logged about an error that nobody waits for any more.
            task.exception()
