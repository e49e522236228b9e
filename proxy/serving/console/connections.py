"""Connections: how each one is and why, and what a person can do about it: sign in, sign out, connect again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from quart import Response

from integrations.base import JsonObject
from proxy.connections.oauth.sign_in import SignInState
from proxy.overlay.registration import inside_name
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.console.overview import connection_rows
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.navigation import CONSOLE_PATH

CONNECTIONS: Final = f"{CONSOLE_PATH}/connections"
_BAD: Final = "failed"


@dataclass(frozen=True, slots=True)
class ConnectionCard:
    """One connection. `row` is as agents and REST list it. For operators there are `operator` (its row of
    `GET /-/status`), `calls` (of the last hour) and `server`: its name in the workspace API, to connect it again."""

    row: Mapping[str, Any]
    sign_in: SignInState | None
    operator: Mapping[str, Any]
    calls: Mapping[str, Any]
    server: str | None

    @property
    def prefix(self) -> str:
        return str(self.row["connection"])

    @property
    def why(self) -> tuple[str, ...]:
        """What the status says about itself, each sentence once; for operators the last lines of stderr too."""
        error, lines = str(self.row.get("error")), self.operator.get("stderr", ())
        more = "" if all(line in error for line in lines) else "\n".join(lines)
        said = (self.row.get("error"), more, self.row.get("note"))
        return tuple(dict.fromkeys(str(one) for one in said if one))

    @property
    def is_trouble(self) -> bool:
        return self.row["status"] not in ("connected", "disabled")


async def show(visit: Visit) -> Response:
    cards = await _cards(visit)
    wanted = visit.query.get("status", "")
    counted: dict[str, int] = {}
    for card in cards:
        counted[str(card.row["status"])] = counted.get(str(card.row["status"]), 0) + 1
    chosen = [card for card in cards if not wanted or card.row["status"] == wanted]
    again = visit.query.get("again_to", "")
    return visit.page(
        "connections_console.html",
        cards=sorted(chosen, key=lambda card: (not card.is_trouble, card.prefix)),
        counted=sorted(counted.items(), key=lambda one: -one[1]),
        total=len(cards),
        wanted=wanted,
        reconnected=next((card for card in cards if card.prefix == again), None),
    )


async def _cards(visit: Visit) -> list[ConnectionCard]:
    rows = await connection_rows(visit)
    signs = {one.prefix: one for one in await visit.gateway.sign_ins(visit.principal)}
    servers = await _server_names(visit) if visit.is_operator else {}
    status = visit.gateway.status() if visit.is_operator else {"connections": [], "last_hour": None}
    operator = {one["connection"]: one for one in status["connections"]}
    calls = (status["last_hour"] or {"connections": {}})["connections"]
    return [_card(row, signs, operator, calls, servers) for row in rows]


def _card(
    row: JsonObject,
    signs: Mapping[str, SignInState],
    operator: Mapping[str, Any],
    calls: Mapping[str, Any],
    servers: Mapping[str, str],
) -> ConnectionCard:
    prefix = row["connection"]
    name = servers.get(prefix) or servers.get(prefix.partition(".")[0]) if row["kind"] == "mcp" else None
    return ConnectionCard(row, signs.get(prefix), operator.get(prefix, {}), calls.get(prefix, {}), name)


async def _server_names(visit: Visit) -> dict[str, str]:
    """From what a connection is called (its integration, or its prefix) to its name in the workspace API."""
    statuses = await visit.gateway.servers.statuses(visit.principal)
    return {inside_name(name) if "." not in name else name: name for name in statuses}


async def connect_again(visit: Visit, connection: str) -> Response:
    """Connect an MCP server anew: what `POST .../mcp/{name}/connect` does, with its line in the audit trail."""
    card = next((one for one in await _cards(visit) if one.prefix == connection), None)
    if card is None or card.server is None:
        raise PageProblem(
            404, "Nothing to connect", "There is no connection of this name that is connected by a session."
        )
    try:
        await visit.gateway.servers.connect(visit.principal, card.server)
    except RequestRefusal as refusal:
        raise PageProblem(refusal.fault.status, "It was not connected", refusal.message) from None
    return visit.redirect(f"{CONNECTIONS}?again_to={card.prefix}")


PAGE: Final = ConsolePage(
    "connections",
    (
        ConsoleRoute("GET", CONNECTIONS, show),
        ConsoleRoute("POST", f"{CONNECTIONS}/<connection>/connect", connect_again),
    ),
)
