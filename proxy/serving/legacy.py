"""The handshake leg (2025-11-25 and before): sessions as records, served through the SDK's kernel request by
request.

The SDK keeps a live object per session that only its own process can serve, maps `1` and `"1"` to the same
stream, and says `listChanged: false` over HTTP. Here a request needs the session's record only; ids of
different types are different; a duplicate id in flight is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from mcp.server import NotificationOptions, Server

from proxy.principal import Principal
from proxy.serving import sdk
from proxy.serving.drain import Drain
from proxy.serving.errors import Refusal
from proxy.serving.exchange import PING, SSE_HEADERS, Exchange, accepts
from proxy.serving.gateway import Gateway
from proxy.serving.http import Receive, Reply, Request
from proxy.serving.messages import Incoming, JsonObject, Outcome, RequestId, event
from proxy.serving.modes import choose, wish_of
from proxy.serving.pausing import Pauses
from proxy.serving.peer import Peer
from proxy.serving.sessions import Session, Sessions, Stream, store_errors
from proxy.serving.wire import Wire

SESSION_HEADER = "mcp-session-id"
_LIST_CHANGED = event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


class LegacyLeg:
    """Serves POST, GET and DELETE of handshake-era clients. `instructions` gives the text for one caller."""

    def __init__(
        self,
        gateway: Gateway,
        server: Server[Any],
        sessions: Sessions,
        pauses: Pauses,
        wire: Wire,
        drain: Drain,
        instructions: Callable[[Principal], str],
        *,
        ping_seconds: float = 15.0,
    ) -> None:
        self._gateway = gateway
        self._server = server
        self._sessions = sessions
        self._pauses = pauses
        self._wire = wire
        self._drain = drain
        self._instructions = instructions
        self._ping_seconds = ping_seconds
        drain.on_begin(sessions.end_streams)

    def tools_changed(self, workspaces: frozenset[str]) -> None:
        """Tell every session of these workspaces; one without a GET stream hears it when it opens one."""
        for session in self._sessions:
            if session.owner.workspace_id in workspaces:
                stream = session.presence.stream
                session.presence.owed = stream is None or not stream.offer(_LIST_CHANGED)

    def heard(self, hint: JsonObject) -> None:
        """What another replica says about a session that may have something open here."""
        session = self._sessions.here(hint["session"])
        if session is None:
            return
        presence = session.presence
        if hint["what"] == "closed":
            self._sessions.forget(session.id)
        elif hint["what"] == "cancelled":
            _cancel(session, hint["request"])
        elif hint["what"] == "unanswered" and hint["request"] in presence.asked:
            _hand_over(session, hint["request"], {})
        elif hint["what"] == "stream" and presence.stream is not None:
            presence.stream.end()

    async def post(
        self, request: Request, principal: Principal, call: Incoming, receive: Receive, reply: Reply
    ) -> None:
        if call.kind == "request" and call.method == "initialize":
            await self._initialize(request, principal, call, reply)
            return
        session = await self._session(request, principal)
        if call.kind == "request":
            await self._request(request, principal, session, call, receive, reply)
            return
        if call.kind == "response":
            await self._answered(session, principal, call.raw)
        elif call.method == "notifications/cancelled":
            self._cancelled(session, call)
        await reply.json(202, b"", {SESSION_HEADER: session.id})

    async def get(self, request: Request, principal: Principal, receive: Receive, reply: Reply) -> None:
        """The stream for what belongs to no request. A new one replaces the old one, wherever that is."""
        session = await self._session(request, principal)
        if not accepts(request, "text/event-stream"):
            raise Refusal("not_acceptable", "GET is answered as text/event-stream only.")
        self._drain.refuse_new_work()
        stream = Stream()
        presence = session.presence
        if presence.stream is not None:
            presence.stream.end()
        presence.stream = stream
        self._wire.tell("stream", session=session.id)
        if presence.owed:
            presence.owed = not stream.offer(_LIST_CHANGED)
        try:
            await self._pump(session, stream, receive, reply)
        finally:
            if presence.stream is stream:
                presence.stream = None
            stream.close()

    async def delete(self, request: Request, principal: Principal, reply: Reply) -> None:
        await self._sessions.close(await self._session(request, principal))
        await reply.json(204, b"")

    async def _session(self, request: Request, principal: Principal) -> Session:
        session_id = request.headers.get(SESSION_HEADER)
        if not session_id:
            raise Refusal("missing_session", "The header mcp-session-id is missing. Send `initialize` first.")
        return await self._sessions.use(session_id, principal)

    async def _initialize(self, request: Request, principal: Principal, call: Incoming, reply: Reply) -> None:
        assert call.id is not None
        if request.headers.get(SESSION_HEADER):
            await self._session(request, principal)
            raise Refusal("bad_request", "Invalid request: this session is initialized already.")
        self._drain.refuse_new_work()
        wish = wish_of(request.query)
        choose(self._gateway.elicitation(principal), wish)
        options = self._server.create_initialization_options(NotificationOptions(tools_changed=True))
        options = options.model_copy(update={"instructions": self._instructions(principal)})
        outcome, handshake = await sdk.serve_initialize(
            self._server, call, options, Peer(principal, wish=wish)
        )
        headers = {}
        if handshake is not None:
            session = await self._sessions.open(principal, handshake, wish)
            headers[SESSION_HEADER] = session.id
        await reply.json(200 if handshake else 400, outcome.encode(call.id), headers)

    async def _request(
        self,
        request: Request,
        principal: Principal,
        session: Session,
        call: Incoming,
        receive: Receive,
        reply: Reply,
    ) -> None:
        assert call.id is not None
        self._drain.refuse_new_work()
        running = session.presence.running
        if call.id in running:
            raise Refusal(
                "bad_request", "Invalid request: a request with this id is still running in this session."
            )
        exchange = self._exchange(request, session, receive, reply)
        peer = self._peer(principal, session)
        ask = exchange.ask if accepts(request, "text/event-stream") else None

        async def run() -> Outcome:
            return await sdk.serve_legacy(self._server, call, session.handshake, exchange.notify, peer, ask)

        running[call.id] = exchange.scope
        try:
            await exchange.answer(call, run, lambda code: 200)
        finally:
            running.pop(call.id, None)

    def _exchange(self, request: Request, session: Session, receive: Receive, reply: Reply) -> Exchange:
        async def alive() -> None:
            await self._sessions.prolong(session)

        return Exchange(
            request,
            receive,
            reply,
            patient=True,
            ping_seconds=self._ping_seconds,
            headers={SESSION_HEADER: session.id},
            asked=session.presence.asked,
            alive=alive,
            # The next replica takes the answer to a question that this one leaves behind.
            withdraws=lambda: not self._drain.active,
        )

    def _peer(self, principal: Principal, session: Session) -> Peer:
        async def save() -> None:
            await self._sessions.save(session)

        return Peer(principal, session.id, session.wish, session.presence.memory, save)

    async def _answered(self, session: Session, principal: Principal, raw: JsonObject) -> None:
        """The answer to a question of ours: for a request that waits here, else for whoever waits elsewhere."""
        identifier = raw.get("id")
        if _hand_over(session, identifier, raw):
            return
        async with store_errors():
            taken = await self._pauses.take(raw, self._peer(principal, session))
        if not taken and isinstance(identifier, str):
            self._wire.tell("unanswered", session=session.id, request=identifier)

    def _cancelled(self, session: Session, call: Incoming) -> None:
        identifier = (call.params or {}).get("requestId")
        if isinstance(identifier, bool) or not isinstance(identifier, str | int):
            return
        if not _cancel(session, identifier):
            self._wire.tell("cancelled", session=session.id, request=identifier)

    async def _pump(self, session: Session, stream: Stream, receive: Receive, reply: Reply) -> None:
        await reply.start(200, {**SSE_HEADERS, SESSION_HEADER: session.id})
        await reply.body(b": open\n\n", more=True)
        async with anyio.create_task_group() as group:
            group.start_soon(_end_when_gone, receive, reply, stream)
            message: bytes | None = b""
            while message is not None:
                message = PING
                with anyio.move_on_after(self._ping_seconds):
                    message = await stream.next()
                if message is not None:
                    await reply.body(message, more=True)
                if message == PING and not await self._sessions.prolong(session):
                    break
            group.cancel_scope.cancel()
        await reply.body(b"")


def _hand_over(session: Session, identifier: Any, raw: JsonObject) -> bool:
    """Give an answer to the request that waits for it here; False when none does."""
    waiting = session.presence.asked.get(identifier) if isinstance(identifier, str | int) else None
    if waiting is None or waiting.done():
        return False
    waiting.set_result(raw)
    return True


def _cancel(session: Session, identifier: RequestId) -> bool:
    scope = session.presence.running.get(identifier)
    if scope is None:
        return False
    scope.cancel()
    return True


async def _end_when_gone(receive: Receive, reply: Reply, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reply.gone = True
    stream.end()
