"""Where news about executions is published in the state store."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from proxy.state import State, StateUnavailable

CANCELS: Final = "executions.cancel"
"""Where a replica asks the others to cancel an execution, by its id."""


def topic(execution_id: str) -> str:
    """Where it is published that something about an execution has changed."""
    return f"execution.{execution_id}"


def pauses(workspace_id: str) -> str:
    """Where the ids of executions that paused are published, for inboxes and webhooks."""
    return f"pauses.{workspace_id}"


async def tell(store: State, where: str, message: bytes = b"") -> None:
    """Publish a hint. Who misses it, because the store is away, looks by itself within a second or a few."""
    with suppress(StateUnavailable):
        await store.publish(where, message)
