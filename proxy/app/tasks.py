"""A task group for work that accompanies a block, without getting between the block and its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def companions() -> AsyncIterator[asyncio.TaskGroup]:
    """`asyncio.TaskGroup`, but what the block raises comes out as it is and not inside an `ExceptionGroup`.

    The block ends the tasks it started, also when it fails: the group waits for them. A task that fails cancels
    the block, and its error comes out in an `ExceptionGroup`, because nobody in the block can have expected it.
    """
    problem: Exception | None = None
    async with asyncio.TaskGroup() as group:
        try:
            yield group
        except Exception as error:
            problem = error
    if problem is not None:
        raise problem
