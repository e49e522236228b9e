"""Connections as rows for people and machines: `executor tools sources`, `executor doctor`, `/-/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from integrations.base import JsonObject
from proxy.calls.scrub import SHORTEST_SECRET
from proxy.connections import HealthReport, OpenConnection
from proxy.workspace import Generation

# Longer words are rare in texts.
_LONGEST_WORD: Final = 12


def never_probed(prefix: str) -> HealthReport | None:
    """The health of connections outside of a server."""
    return None


def connection_rows(
    generation: Generation, health: Callable[[str], HealthReport | None] = never_probed
) -> list[JsonObject]:
    """One row a connection: its status, its number of tools, its last health probe, what was left out of it, and
    where the config speaks of tools that it has not. That stands at the first connection of each integration."""
    first = {one.integration: one.prefix for one in reversed(generation.connections)}
    return [
        {
            "connection": one.prefix,
            "kind": one.kind,
            **({"source": "overlay", "workspace": one.scope} if one.scope else {}),
            "tools": len(one.upstream.toolset.tools) if one.upstream is not None else 0,
            **one.status,
            **({"catalog": "vendored"} if one.vendored else {}),
            **_health(health(one.label)),
            "warnings": [
                *_warnings(one),
                *(generation.report.about(one.integration) if first[one.integration] == one.prefix else ()),
            ],
        }
        for one in generation.connections
    ]


def _warnings(one: OpenConnection) -> list[str]:
    """What was left out of its tools, and what is not protected as it should be."""
    said = list(one.upstream.toolset.warnings) if one.upstream is not None else []
    said += [one.note] if one.note else []
    secrets = one.known_secrets()
    if any(is_wordlike(secret) for secret in secrets):
        said.append(
            "a secret is short and all letters, like an ordinary word: it is replaced wherever it occurs in results"
        )
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        said.append(
            f"a secret of fewer than {SHORTEST_SECRET} characters is not redacted from what upstreams answer"
        )
    return said


def is_wordlike(secret: str) -> bool:
    """Whether redacting it will hit text that has nothing to do with it: `main`, `admin`, `test`."""
    return SHORTEST_SECRET <= len(secret) <= _LONGEST_WORD and secret.isalpha()


def _health(report: HealthReport | None) -> JsonObject:
    return {} if report is None else {"health": report.as_json()}
