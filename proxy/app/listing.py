"""Connections as rows for people and machines: `executor tools sources`, `executor doctor`, `/-/status`."""

from __future__ import annotations

from collections.abc import Callable

from integrations.base import JsonObject
from proxy.calls.scrub import SHORTEST_SECRET
from proxy.config import LoadedConfig
from proxy.config.locations import SourceLocation
from proxy.config.secrets import is_wordlike
from proxy.connections import HealthReport, OpenConnection
from proxy.workspace import Generation

# Longer words are rare in texts.


def never_probed(prefix: str) -> HealthReport | None:
    """The health of connections outside of a server."""
    return None


def connection_place(loaded: LoadedConfig, one: OpenConnection) -> str | None:
    """Where the files write this connection down, else its integration, as `file:line`; None for what was registered at
    run time."""
    config = loaded.config
    if config is None or one.scope:
        return None
    if one.prefix in config.connections:
        return str_of(loaded.location(("connections", one.prefix)))
    known = one.integration in config.integrations
    return str_of(loaded.location(("integrations", one.integration))) if known else None


def limit_place(loaded: LoadedConfig, name: str) -> str | None:
    """Where the files write this rate limit down, as `file:line`; None for one that is built in."""
    written = loaded.config is not None and "rate_limits" in loaded.config.model_fields_set
    if not written or loaded.config is None or name not in loaded.config.rate_limits:
        return None
    return str_of(loaded.location(("rate_limits", name)))


def str_of(place: SourceLocation) -> str:
    return f"{place.file}:{place.line}"


def nowhere(one: OpenConnection) -> str | None:
    """The place of connections where no files are known."""
    return None


def connection_rows(
    generation: Generation,
    health: Callable[[str], HealthReport | None] = never_probed,
    place: Callable[[OpenConnection], str | None] = nowhere,
) -> list[JsonObject]:
    """One row a connection: its status, its number of tools, its last health probe, what was left out of it, where the
    files write it down, and where the config speaks of tools that it has not. That stands at the first connection of
    each integration."""
    first = {one.integration: one.prefix for one in reversed(generation.connections)}
    return [
        {
            "connection": one.prefix,
            "kind": one.kind,
            **({"source": "overlay", "workspace": one.scope} if one.scope else {}),
            "tools": len(one.upstream.toolset.tools) if one.upstream is not None else 0,
            **({"declared_at": found} if (found := place(one)) else {}),
            **one.status,
            **_stderr(one),
            **({"catalog": "vendored"} if one.vendored else {}),
            **_health(health(one.label)),
            "warnings": [
                *_warnings(one),
                *(generation.report.about(one.integration) if first[one.integration] == one.prefix else ()),
            ],
        }
        for one in generation.connections
    ]


def _stderr(one: OpenConnection) -> JsonObject:
    """What a local server that failed wrote last. Its status has the line that looks like the reason."""
    if one.session is None or one.status["status"] != "failed":
        return {}
    return {"stderr": list(one.session.last_stderr)} if one.session.last_stderr else {}


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


def _health(report: HealthReport | None) -> JsonObject:
    return {} if report is None else {"health": report.as_json()}
