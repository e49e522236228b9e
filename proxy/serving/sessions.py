"""Handshake-era sessions: small records with a sliding time to live, and what is bound to this process beside
them.

The record (`Session`) is what a state store will keep, so that every replica can serve it. The open GET
stream and the requests in flight (`Presence`) stay where their sockets are.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio

from proxy.principal import Principal
from proxy.serving.errors import Refusal
from proxy.serving.messages import RequestId
from proxy.serving.peer import Memory

Owner = tuple[str, str]


def owner_of(principal: Principal) -> Owner:
    """Sessions belong to an account in a workspace, not to a token: another bearer of that account may go
    on."""
    return (principal.workspace_id, principal.account_id)


@dataclass(slots=True)
class Presence:
    """What one process holds for a session. `owed` means that tools changed while no GET stream was open."""

    stream: Stream | None = None
    running: dict[RequestId, anyio.CancelScope] = field(default_factory=dict)
    owed: bool = False


@dataclass(slots=True)
class Session:
    """`client_params` are the client's `initialize` parameters, `seen` is monotonic seconds of the last
    request."""

    id: str
    owner: Owner
    version: str
    client_params: Any
    mode: str
    created: float
    seen: float
    memory: Memory = field(default_factory=Memory)
    presence: Presence = field(default_factory=Presence)


class Stream:
    """The messages of one open GET stream, at most `size` of them waiting. `end` may be called at any
    time."""

    def __init__(self, size: int = 64) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes](size)

    def offer(self, message: bytes) -> bool:
        """False when the client does not read: the stream is then of no use and ends."""
        try:
            self._send.send_nowait(message)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.end()
            return False
        return True

    async def next(self) -> bytes | None:
        """The next message; None when the stream has ended."""
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            return None

    def end(self) -> None:
        self._send.close()

    def close(self) -> None:
        """By the one who reads, when done."""
        self._send.close()
        self._receive.close()


class Sessions:
    """All sessions of this process. Times are seconds of the given monotonic clock."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        ttl_seconds: float = 1800.0,
        limit: int = 10_000,
        limit_per_owner: int = 200,
    ) -> None:
        self._clock = clock
        self._ttl = ttl_seconds
        self._limit = limit
        self._limit_per_owner = limit_per_owner
        self._by_id: OrderedDict[str, Session] = OrderedDict()
        self._by_owner: dict[Owner, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def open(self, principal: Principal, version: str, client_params: Any, mode: str) -> Session:
        """A new session. An owner's oldest makes room at its cap; a full store refuses (503)."""
        self._expire()
        owner = owner_of(principal)
        mine = self._by_owner.setdefault(owner, OrderedDict())
        if len(mine) >= self._limit_per_owner:
            self._remove(self._by_id[next(iter(mine))])
        if len(self._by_id) >= self._limit:
            raise Refusal(
                "unavailable", "Too many open sessions. Try again later.", headers={"retry-after": "60"}
            )
        now = self._clock()
        session = Session("mcp_" + secrets.token_hex(16), owner, version, client_params, mode, now, now)
        self._by_id[session.id] = session
        self._by_owner.setdefault(owner, OrderedDict())[session.id] = None
        return session

    def use(self, session_id: str, principal: Principal) -> Session:
        """The session, its life prolonged. Raises `Refusal`: 404 unknown or expired, 403 another owner's
        (T34)."""
        self._expire()
        session = self._by_id.get(session_id)
        if session is None:
            raise Refusal("unknown_session", "Session not found. Start a new one with `initialize`.")
        if session.owner != owner_of(principal):
            raise Refusal("foreign_session", "MCP session does not belong to the current bearer")
        self.touch(session)
        return session

    def touch(self, session: Session) -> None:
        if session.id in self._by_id:
            session.seen = self._clock()
            self._by_id.move_to_end(session.id)
            self._by_owner[session.owner].move_to_end(session.id)

    def close(self, session: Session) -> None:
        """End it: its stream ends, its running requests are cancelled, its id answers 404 from now on."""
        self._remove(session)

    def end_streams(self) -> None:
        for session in self._by_id.values():
            if session.presence.stream is not None:
                session.presence.stream.end()

    def _expire(self) -> None:
        oldest = self._clock() - self._ttl
        for session in self._stale(oldest):
            self._remove(session)

    def _stale(self, oldest: float) -> list[Session]:
        """From the front, where the least recently used are; those with a request in flight stay."""
        stale: list[Session] = []
        for session in self._by_id.values():
            if session.seen > oldest:
                break
            if not session.presence.running:
                stale.append(session)
        return stale

    def _remove(self, session: Session) -> None:
        if self._by_id.pop(session.id, None) is None:
            return
        mine = self._by_owner[session.owner]
        mine.pop(session.id, None)
        if not mine:
            del self._by_owner[session.owner]
        if session.presence.stream is not None:
            session.presence.stream.end()
        for scope in session.presence.running.values():
            scope.cancel()
