"""The first page: what serves, since when, and what needs somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quart import Response

from integrations.base import Failure, JsonObject
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.pages.navigation import CONSOLE_PATH
from proxy.serving.pages.presenting import groups


async def show(visit: Visit) -> Response:
    """Operators see the whole server, everybody else their workspace."""
    pending = await visit.gateway.pending(visit.principal)
    rows = await connection_rows(visit)
    return visit.page(
        "overview.html",
        status=200,
        server=visit.gateway.status() if visit.is_operator else None,
        sha256=visit.gateway.config_sha256(),
        waiting=groups(pending, visit.now_ms),
        connections=by_status(rows),
        trouble=[one for one in rows if one["status"] != "connected"],
    )


async def connection_rows(visit: Visit) -> list[JsonObject]:
    """The connections of this person's workspace, as agents and REST list them."""
    found = await visit.gateway.look_up("executor.connections.list", {"integration": ""}, visit.principal)
    return [] if isinstance(found, Failure) else list(found.value)


def by_status(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """How many there are of each status, the most frequent first."""
    return Counter(str(one["status"]) for one in rows).most_common()


PAGE: Final = ConsolePage("overview", (ConsoleRoute("GET", CONSOLE_PATH, show),))
