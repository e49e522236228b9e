"""Handshake-era sessions: small records in the state store, and what is bound to this process beside them.

Any replica serves a session, and a restart keeps it: every request reads its record. What stays local is its
`LocalSession`: the open GET stream, the requests in flight, and what makes the next request cheaper.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from integrations.json_text import read_json, write_kept
from proxy.config import ElicitationMode
from proxy.principal import Principal
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp.client import ClientState
from proxy.serving.mcp.jsonrpc import RequestId
from proxy.serving.mcp.replicas import ReplicaBus
from proxy.serving.mcp.sdk import Handshake, packed_handshake, unpacked_handshake
from proxy.state import Owner, SessionRecord, SessionsFull, StateUnavailable, StateUnreadable
from proxy.state.base import Sessions as Store

STORE_DOWN: Final = (
    "The state store cannot be reached. Sessions and paused executions are kept; try again in a few seconds."
)


def owner_of(principal: Principal) -> Owner:
    """Sessions belong to an account in a workspace, not to a token: another bearer of that account may go on."""
    return Owner(principal.workspace_id, principal.account_id)


@dataclass(slots=True)
class LocalSession:
    """What one process holds for a session. `announcement_due`: tools changed while no GET stream was open. `questions`
    are the elicitations that requests of this process wait for."""

    stream: Stream | None = None
    running: dict[RequestId, anyio.CancelScope] = field(default_factory=dict)
    questions: dict[RequestId, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    announcement_due: bool = False
    state: ClientState = field(default_factory=ClientState)

    @property
    def busy(self) -> bool:
        return self.stream is not None or bool(self.running)

    def end(self) -> None:
        """The session is over: its stream ends, its running requests are cancelled."""
        if self.stream is not None:
            self.stream.end()
        for scope in self.running.values():
            scope.cancel()


@dataclass(slots=True)
class HandshakeSession:
    """`requested_mode` is the elicitation mode that the client asked for when it opened the session."""

    id: str
    owner: Owner
    handshake: Handshake
    requested_mode: ElicitationMode | None
    local: LocalSession
    body: bytes = b""


class Stream:
    """The messages of one open GET stream, at most `size` of them waiting. `end` may be called at any time."""

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


class HandshakeSessions:
    """The sessions that this process has seen, over the store that knows all of them."""

    def __init__(
        self,
        store: Store,
        bus: ReplicaBus,
        *,
        ttl_seconds: float = 1800.0,
        limit: int = 10_000,
        limit_per_owner: int = 200,
    ) -> None:
        self._store = store
        self.bus = bus
        self._ttl = ttl_seconds
        self._limit = limit
        self._limit_per_owner = limit_per_owner
        self._here: OrderedDict[str, HandshakeSession] = OrderedDict()

    def __iter__(self) -> Iterator[HandshakeSession]:
        """Those that are known here."""
        return iter(list(self._here.values()))

    def here(self, session_id: str) -> HandshakeSession | None:
        return self._here.get(session_id)

    async def open(
        self, principal: Principal, handshake: Handshake, requested_mode: ElicitationMode | None
    ) -> HandshakeSession:
        """A new session. An owner's oldest makes room at its cap; a full store refuses (503)."""
        session = HandshakeSession(
            "mcp_" + secrets.token_hex(16),
            owner_of(principal),
            handshake,
            requested_mode,
            LocalSession(),
            b"",
        )
        session.body = _packed(session)
        now = time.time()
        record = SessionRecord(session.id, session.owner, session.body, now, now)
        async with store_errors():
            displaced = await self._store.open_session(
                record,
                ttl_seconds=self._ttl,
                owner_cap=self._limit_per_owner,
                total_cap=self._limit,
            )
        for session_id in displaced:
            self._ended(session_id)
        self._keep(session)
        return session

    async def use(self, session_id: str, principal: Principal) -> HandshakeSession:
        """The session, its life prolonged. Raises `RequestRefusal`: 404 unknown or expired, 403 another owner's
        (T34), 503 without the store."""
        async with store_errors():
            record = await self._store.use_session(session_id, self._ttl)
        if record is None:
            self.forget(session_id)
            raise RequestRefusal("unknown_session", "Session not found. Start a new one with `initialize`.")
        if record.owner != owner_of(principal):
            raise RequestRefusal("foreign_session", "MCP session does not belong to the current bearer")
        session = self._here.get(session_id)
        if session is None or session.body != record.body:
            session = _unpacked(record, session.local if session is not None else LocalSession())
        self._keep(session)
        return session

    async def prolong(self, session: HandshakeSession) -> bool:
        """Keep it alive while something of it is open here. False when it is over; a store that is away ends none."""
        try:
            return await self._store.use_session(session.id, self._ttl) is not None
        except StateUnavailable:
            return True
        except StateUnreadable:
            return False

    async def save(self, session: HandshakeSession) -> None:
        """Keep what the client said about itself since the handshake."""
        session.body = _packed(session)
        async with store_errors():
            await self._store.save_session(session.id, session.owner, session.body)

    async def close(self, session: HandshakeSession) -> None:
        """End it: its stream ends, its running requests are cancelled, its id answers 404 from now on. On every
        replica."""
        async with store_errors():
            await self._store.close_session(session.id, session.owner)
        self._ended(session.id)

    def forget(self, session_id: str) -> None:
        """It is over; end what this process holds of it."""
        session = self._here.pop(session_id, None)
        if session is not None:
            session.local.end()

    def end_streams(self) -> None:
        for session in self._here.values():
            if session.local.stream is not None:
                session.local.stream.end()

    def _ended(self, session_id: str) -> None:
        self.forget(session_id)
        self.bus.publish("closed", session=session_id)

    def _keep(self, session: HandshakeSession) -> None:
        """The least recently used that hold nothing open are forgotten first; the store still knows them."""
        self._here[session.id] = session
        self._here.move_to_end(session.id)
        if len(self._here) > self._limit:
            idle = next((one for one in self._here.values() if not one.local.busy), None)
            if idle is not None:
                del self._here[idle.id]


@asynccontextmanager
async def store_errors() -> AsyncIterator[None]:
    """What a store says, as answers."""
    try:
        yield
    except StateUnavailable:
        raise RequestRefusal("unavailable", STORE_DOWN, headers={"retry-after": "2"}) from None
    except StateUnreadable:
        # Its key has left the ring: for this deployment there is no such session any more.
        raise RequestRefusal(
            "unknown_session", "Session not found. Start a new one with `initialize`."
        ) from None
    except SessionsFull:
        raise RequestRefusal(
            "unavailable", "Too many open sessions. Try again later.", headers={"retry-after": "60"}
        ) from None


def _packed(session: HandshakeSession) -> bytes:
    # `wish` is the requested mode: records that are stored already have this key.
    body = packed_handshake(session.handshake)
    return write_kept(body | {"wish": session.requested_mode, "logLevel": session.local.state.log_level})


def _unpacked(record: SessionRecord, local: LocalSession) -> HandshakeSession:
    body = read_json(record.body)
    local.state.log_level = body["logLevel"]
    handshake = unpacked_handshake(body)
    return HandshakeSession(record.session_id, record.owner, handshake, body["wish"], local, record.body)
