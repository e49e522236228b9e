"""The first page: what serves, since when, and what needs somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quart import Response

from integrations.base import Failure, JsonObject
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.console.plots import Plot, plot
from proxy.serving.pages.navigation import CONSOLE_PATH
from proxy.serving.pages.presenting import groups


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """One replica, and whether it serves what this one serves. None: the status does not say."""

    shown: Mapping[str, Any]
    same: bool


@dataclass(frozen=True, slots=True)
class ServerView:
    """What concerns the whole server, from `GET /-/status`: for operators."""

    config: Mapping[str, Any]
    version: str
    executions: Plot
    calls: Plot
    limits: tuple[Mapping[str, Any], ...]
    replicas: tuple[ReplicaRow, ...]
    replicas_trouble: str | None
    sandbox: Mapping[str, Any]

    @property
    def last_reload(self) -> Mapping[str, Any] | None:
        last: Mapping[str, Any] | None = self.config["last_reload"]
        return last

    @property
    def agree(self) -> bool:
        return all(one.same for one in self.replicas)


def server_view(status: JsonObject) -> ServerView:
    """The parts of the status that the page shows."""
    hour, config = status["last_hour"], status["config"]
    return ServerView(
        config=config,
        version=status["version"],
        executions=plot("executions", hour["executions"], hour["failed_executions"]),
        calls=plot("calls", hour["calls"], hour["failed_calls"]),
        limits=tuple(hour["limits"]),
        replicas=tuple(ReplicaRow(one, one["sha256"] == config["sha256"]) for one in status["replicas"]),
        replicas_trouble=status["replicas_trouble"],
        sandbox=status["sandbox"],
    )


async def show(visit: Visit) -> Response:
    """Operators see the whole server, everybody else their workspace."""
    pending = await visit.gateway.pending(visit.principal)
    rows = await connection_rows(visit)
    return visit.page(
        "overview.html",
        server=server_view(visit.gateway.status()) if visit.is_operator else None,
        sha256=visit.gateway.config_sha256(),
        waiting=groups(pending, visit.now_ms),
        questions=len(pending),
        connections=by_status(rows),
        trouble=[one for one in rows if one["status"] not in ("connected", "disabled")],
    )


async def connection_rows(visit: Visit) -> list[JsonObject]:
    """The connections of this person's workspace, as agents and REST list them."""
    found = await visit.gateway.look_up("executor.connections.list", {"integration": ""}, visit.principal)
    return [] if isinstance(found, Failure) else list(found.value)


def by_status(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """How many there are of each status, the most frequent first."""
    return Counter(str(one["status"]) for one in rows).most_common()


PAGE: Final = ConsolePage("overview", (ConsoleRoute("GET", CONSOLE_PATH, show),))
