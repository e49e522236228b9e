"""Where news about executions is published in the state store."""

from __future__ import annotations


def topic(execution_id: str) -> str:
    """Where it is published that something about an execution has changed."""
    return f"execution.{execution_id}"


def pauses(workspace_id: str) -> str:
    """Where the ids of executions that paused are published, for inboxes and webhooks."""
    return f"pauses.{workspace_id}"
