"""Connections as rows for people and machines: `executor tools sources`, `executor doctor`, `/-/status`."""

from __future__ import annotations

from typing import Any

from proxy.workspace import Generation

JsonObject = dict[str, Any]


def connection_rows(generation: Generation) -> list[JsonObject]:
    """One row a connection: its status, its number of tools, and what was left out of it."""
    return [
        {
            "connection": one.prefix,
            "kind": one.kind,
            "tools": len(one.upstream.toolset.tools) if one.upstream is not None else 0,
            **one.status,
            "warnings": list(one.upstream.toolset.warnings) if one.upstream is not None else [],
        }
        for one in generation.connections
    ]
