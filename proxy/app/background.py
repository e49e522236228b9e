"""The tasks beside a running application: they follow files and documents, recover executions, send the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from proxy.app.store import StoreWatch
from proxy.config.watch import Watcher
from proxy.executions import Executions
from proxy.reload import Reloader, follow
from proxy.state import StateError, StateUnavailable
from proxy.telemetry import Logger
from proxy.webhooks import WebhookSender

_RECOVERY_SECONDS = 5.0
_log = Logger("app")


@asynccontextmanager
async def background(
    watcher: Watcher,
    reloader: Reloader[Any, Any],
    executions: Executions,
    webhooks: WebhookSender,
    store_watch: StoreWatch,
    follow_sources: Callable[[], Coroutine[Any, Any, None]],
) -> AsyncIterator[None]:
    """All of it runs during the block. After the block, executions are let go: other processes take them over."""
    async with companions() as group:
        tasks = [
            group.create_task(follow(watcher.changes(), reloader), name="follow files"),
            group.create_task(follow_sources(), name="follow documents"),
            group.create_task(recover_executions(executions), name="recover executions"),
            group.create_task(executions.listen(), name="hear other replicas"),
            group.create_task(webhooks.run(), name="webhook"),
            group.create_task(store_watch.run(), name="watch store"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await executions.let_go()


async def recover_executions(executions: Executions) -> None:
    """Go on with what a dead process left behind, and end what waited too long. Runs until it is cancelled."""
    while True:
        try:
            await executions.recover()
        except StateUnavailable:
            # The store itself tells of it, once; the next look is soon enough.
            pass
        except StateError as error:
            _log.exception("recovery_failed", error)
        await asyncio.sleep(_RECOVERY_SECONDS)


@asynccontextmanager
async def companions() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group for work beside the block; what the block raises comes out as it is, not in an `ExceptionGroup`.

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
