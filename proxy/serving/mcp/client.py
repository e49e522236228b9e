"""What is known about the client of one request: who calls, and what this client was told before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext

from proxy.config import ElicitationMode
from proxy.principal import Principal


@dataclass(slots=True)
class ClientState:
    """What outlives one request of a client: the catalog revision that it was last told of, the level of log messages
    a handshake-era client asked for with `logging/setLevel`, and the notes that it needs to read only once."""

    revision: str | None = None
    log_level: str | None = None
    notes: set[str] = field(default_factory=set)


async def _nothing() -> None:
    """There is no session whose record holds the state."""


@dataclass(frozen=True, slots=True)
class ClientContext:
    """Handed to the MCP handlers as their `lifespan_context`. `session_id` is None without a handshake session,
    `requested_mode` is the elicitation mode that the client asked for, and `save` stores `state` after a change."""

    principal: Principal
    session_id: str | None = None
    requested_mode: ElicitationMode | None = None
    state: ClientState = field(default_factory=ClientState)
    save: Callable[[], Awaitable[None]] = _nothing


McpContext = ServerRequestContext[ClientContext, Any]
"""What the SDK hands to our handlers."""


class ClientStates:
    """The state of each client without a session (2026-07-28), by workspace, account and client name. The oldest go
    first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str, str], ClientState] = OrderedDict()

    def of(self, principal: Principal, client: str) -> ClientState:
        key = (principal.workspace_id, principal.account_id, client[:128])
        state = self._known.setdefault(key, ClientState())
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return state
