"""What is known about the client of one request: who calls, and what this client was told before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from proxy.principal import Principal
from proxy.serving.modes import Mode


@dataclass(slots=True)
class Memory:
    """What outlives one request of a client: the catalog revision of the description it last received, and
    the level of log messages a handshake-era client asked for with `logging/setLevel`."""

    revision: str | None = None
    log_level: str | None = None


async def _nothing() -> None:
    """The memory of this client needs no keeping."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Handed to the MCP handlers as their `lifespan_context`. `session_id` is None without a handshake
    session; `wish` is the elicitation mode that the client asked for; `save` keeps what `memory` says from now on."""

    principal: Principal
    session_id: str | None = None
    wish: Mode | None = None
    memory: Memory = field(default_factory=Memory)
    save: Callable[[], Awaitable[None]] = _nothing


class Memories:
    """Memory of clients without a session (2026-07-28), by workspace, account and client name; the oldest go
    first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str, str], Memory] = OrderedDict()

    def of(self, principal: Principal, client: str) -> Memory:
        key = (principal.workspace_id, principal.account_id, client[:128])
        memory = self._known.setdefault(key, Memory())
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return memory
