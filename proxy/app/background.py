"""The tasks beside a running application: they follow files and documents, recover executions, send the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from proxy.app.last_good import LastGood
from proxy.app.pending import ApprovalsWatch
from proxy.app.replicas import ReplicaWatch
from proxy.app.store import StoreWatch
from proxy.config.watch import Watcher
from proxy.executions import Executions
from proxy.reload import Reloader, follow
from proxy.state import StateError, StateUnavailable
from proxy.tasks import TaskSupervisor, TaskWork
from proxy.telemetry import Logger
from proxy.webhooks import WebhookSender

_RECOVERY_SECONDS = 5.0
_log = Logger("app")


@asynccontextmanager
async def background(
    tasks: TaskSupervisor,
    watcher: Watcher,
    reloader: Reloader[Any, Any],
    executions: Executions,
    webhooks: WebhookSender,
    store_watch: StoreWatch,
    pending: ApprovalsWatch,
    replicas: ReplicaWatch,
    last_good: LastGood,
    follow_sources: TaskWork,
    follow_overlay: TaskWork,
) -> AsyncIterator[None]:
    """All of it runs during the block. After the block, executions are let go: other processes take them over."""
    running = [
        tasks.keep("follow files", lambda: follow(watcher.changes(), reloader)),
        tasks.keep("follow documents", follow_sources),
        tasks.keep("follow registrations", follow_overlay),
        tasks.keep("recover executions", lambda: recover_executions(executions)),
        tasks.keep("hear replicas", executions.listen),
        tasks.keep("webhook", webhooks.run),
        tasks.keep("watch store", store_watch.run),
        tasks.keep("count approvals", pending.run),
        tasks.keep("tell replicas", replicas.run),
        tasks.keep("last good", last_good.run),
    ]
    try:
        yield
    finally:
        await tasks.stop(*running)
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
