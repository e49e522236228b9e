"""Where news about executions is published in the state store."""

from __future__ import annotations

from typing import Final

CANCELS: Final = "executions.cancel"
"""Where a replica asks the others to cancel an execution, by its id."""


def topic(execution_id: str) -> str:
    """Where it is published that something about an execution has changed."""
    return f"execution.{execution_id}"


def pauses(workspace_id: str) -> str:
    """Where the ids of executions that paused are published, for inboxes and webhooks."""
    return f"pauses.{workspace_id}"
