"""What happens without anybody asking: files change, documents arrive, dead processes leave executions behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from proxy.app.store_watch import StoreWatch
from proxy.app.tasks import companions
from proxy.config.watch import Watcher
from proxy.executions import Executions
from proxy.reload import Reloader, follow
from proxy.state import StateError, StateUnavailable
from proxy.telemetry import Log
from proxy.webhooks import Herald

_RECOVERY_SECONDS = 5.0
_log = Log("app")


@asynccontextmanager
async def background(
    watcher: Watcher,
    reloader: Reloader[Any, Any],
    executions: Executions,
    herald: Herald,
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
            group.create_task(herald.run(), name="webhook"),
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
