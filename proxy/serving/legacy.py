"""The handshake leg (2025-11-25 and before): sessions as records, served through the SDK's kernel request by
request.

The SDK keeps a live object per session that only its own process can serve, maps `1` and `"1"` to the same
stream, and says `listChanged: false` over HTTP. Here a request needs the session's record only; ids of
different types are different; a duplicate id in flight is refused.
"""

from __future__ import annotations

from typing import Any

import anyio
from mcp.server import NotificationOptions, Server

from proxy.principal import Principal
from proxy.serving import sdk
from proxy.serving.drain import Drain
from proxy.serving.errors import Refusal
from proxy.serving.exchange import PING, SSE_HEADERS, Exchange, accepts
from proxy.serving.http import Receive, Reply, Request
from proxy.serving.messages import Incoming, Outcome, event
from proxy.serving.peer import Peer, requested_mode
from proxy.serving.sessions import Session, Sessions, Stream

SESSION_HEADER = "mcp-session-id"
_LIST_CHANGED = event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


class LegacyLeg:
    """Serves POST, GET and DELETE of handshake-era clients. `instructions` gives the text for one caller."""

    def __init__(
        self,
        server: Server[Any],
        sessions: Sessions,
        drain: Drain,
        instructions: Any,
        *,
        ping_seconds: float = 15.0,
    ) -> None:
        self._server = server
        self._sessions = sessions
        self._drain = drain
        self._instructions = instructions
        self._ping_seconds = ping_seconds
        drain.on_begin(sessions.end_streams)

    def tools_changed(self, workspaces: frozenset[str]) -> None:
        """Tell every session of these workspaces; one without a GET stream hears it when it opens one."""
        for session in self._sessions:
            if session.owner[0] in workspaces:
                stream = session.presence.stream
                session.presence.owed = stream is None or not stream.offer(_LIST_CHANGED)

    async def post(
        self, request: Request, principal: Principal, call: Incoming, receive: Receive, reply: Reply
    ) -> None:
        if call.kind == "request" and call.method == "initialize":
            await self._initialize(request, principal, call, reply)
            return
        session = self._session(request, principal)
        if call.kind == "request":
            await self._request(request, principal, session, call, receive, reply)
            return
        if call.kind == "notification":
            _apply(session, call)
        await reply.json(202, b"", {SESSION_HEADER: session.id})

    async def get(self, request: Request, principal: Principal, receive: Receive, reply: Reply) -> None:
        """The stream for what belongs to no request. A new one replaces the old one."""
        session = self._session(request, principal)
        if not accepts(request, "text/event-stream"):
            raise Refusal("not_acceptable", "GET is answered as text/event-stream only.")
        self._drain.refuse_new_work()
        stream = Stream()
        presence = session.presence
        if presence.stream is not None:
            presence.stream.end()
        presence.stream = stream
        if presence.owed:
            presence.owed = not stream.offer(_LIST_CHANGED)
        try:
            await self._pump(session, stream, receive, reply)
        finally:
            if presence.stream is stream:
                presence.stream = None
            stream.close()

    async def delete(self, request: Request, principal: Principal, reply: Reply) -> None:
        self._sessions.close(self._session(request, principal))
        await reply.json(204, b"")

    def _session(self, request: Request, principal: Principal) -> Session:
        session_id = request.headers.get(SESSION_HEADER)
        if not session_id:
            raise Refusal("missing_session", "The header mcp-session-id is missing. Send `initialize` first.")
        return self._sessions.use(session_id, principal)

    async def _initialize(self, request: Request, principal: Principal, call: Incoming, reply: Reply) -> None:
        assert call.id is not None
        if request.headers.get(SESSION_HEADER):
            self._session(request, principal)
            raise Refusal("bad_request", "Invalid request: this session is initialized already.")
        self._drain.refuse_new_work()
        mode = requested_mode(request)
        options = self._server.create_initialization_options(NotificationOptions(tools_changed=True))
        options = options.model_copy(update={"instructions": self._instructions(principal)})
        outcome, handshake = await sdk.serve_initialize(
            self._server, call, options, Peer(principal, mode=mode)
        )
        headers = {}
        if handshake is not None:
            session = self._sessions.open(principal, handshake.version, handshake.client_params, mode)
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
        headers = {SESSION_HEADER: session.id}
        exchange = Exchange(
            request, receive, reply, patient=True, ping_seconds=self._ping_seconds, headers=headers
        )
        peer = Peer(principal, session.id, session.mode, session.memory)
        handshake = sdk.Handshake(session.version, session.client_params)

        async def run() -> Outcome:
            return await sdk.serve_legacy(self._server, call, handshake, exchange.notify, peer)

        running[call.id] = exchange.scope
        try:
            await exchange.answer(call, run, lambda code: 200)
        finally:
            running.pop(call.id, None)
            self._sessions.touch(session)

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
                self._sessions.touch(session)
                if message is not None:
                    await reply.body(message, more=True)
            group.cancel_scope.cancel()
        await reply.body(b"")


def _apply(session: Session, call: Incoming) -> None:
    """Notifications that mean something between requests. `initialized` needs no action: the record is
    complete."""
    if call.method == "notifications/cancelled":
        identifier = (call.params or {}).get("requestId")
        if isinstance(identifier, bool) or not isinstance(identifier, str | int):
            return
        scope = session.presence.running.get(identifier)
        if scope is not None:
            scope.cancel()


async def _end_when_gone(receive: Receive, reply: Reply, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reply.gone = True
    stream.end()
