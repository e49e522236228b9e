"""What the board says at `GET /-/status`, in the shape of the real one as far as the console reads it."""

from __future__ import annotations

from typing import Any

NOW = 1_800_000_000.0


def board_status(generation: int = 1, **changes: Any) -> dict[str, Any]:
    config = {
        "generation": generation,
        "sha256": "ab12",
        "applied_at": NOW,
        "restart_required": [],
        "last_reload": None,
    }
    quiet = [0] * 60
    hour = {"minutes": 60, "limits": [], "connections": {}}
    kinds = ("executions", "failed_executions", "calls", "failed_calls")
    return {
        "version": "0.0.0",
        "config": config,
        "connections": [],
        "last_hour": {**hour, **{kind: list(quiet) for kind in kinds}},
        "replicas": [],
        "replicas_trouble": None,
        "sandbox": {"hardening": "sandbox: all of it"},
        **changes,
    }
