"""Two listeners that the system would not bind beside each other (E206)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from integrations.fields import Listen
from proxy.config.locations import Finding
from proxy.config.semantics.view import ConfigView

_WILDCARDS: Final = frozenset(("0.0.0.0", "::"))  # noqa: S104


def check_listeners(view: ConfigView) -> Iterator[Finding]:
    """The listener of metrics has an address of its own; a start would find it taken by ourselves."""
    metrics = view.config.telemetry.metrics
    if not metrics.enabled or metrics.listen is None or view.has_lost("server") or view.has_lost("telemetry"):
        return
    served = view.config.server.listen
    if _overlap(served, metrics.listen):
        message = f"`listen`: {metrics.listen} is taken by `server.listen` ({served})"
        yield Finding("E206", ("telemetry", "metrics", "listen"), message, "give metrics a port of their own")


def _overlap(one: Listen, other: Listen) -> bool:
    if one.path is not None or other.path is not None:
        return one.path == other.path
    if one.port != other.port or not one.port:
        return False
    hosts = {host.replace("localhost", "127.0.0.1") for host in (one.host, other.host)}
    return len(hosts) == 1 or bool(hosts & _WILDCARDS)
