"""The handshake era (2025-11-25 and before): sessions as records, served through the SDK's kernel request by request.

The SDK keeps a live object per session that only its own process can serve, maps `1` and `"1"` to the same
stream, and says `listChanged: false` over HTTP. Here a request needs the session's record only; ids of
different types are different; a duplicate id in flight is refused.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
from mcp.server import NotificationOptions, Server

from integrations.base import JsonObject
from proxy.principal import Principal
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import AsgiReceive, HttpReply, HttpRequest
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp import sdk
from proxy.serving.mcp.client import ClientContext
from proxy.serving.mcp.exchange import PING, SSE_HEADERS, Exchange, SessionChannel, accepts
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome, RequestId, event
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.plain import PlainCalls
from proxy.serving.mcp.server import instructions
from proxy.serving.mcp.sessions import HandshakeSession, HandshakeSessions, Stream, store_errors
from proxy.serving.modes import choose, requested_mode_of

SESSION_HEADER = "mcp-session-id"
_LIST_CHANGED = event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


class LegacyEndpoint:
    """Serves POST, GET and DELETE of handshake-era clients."""

    def __init__(
        self,
        gateway: Gateway,
        server: Server[Any],
        sessions: HandshakeSessions,
        pauses: Pauses,
        drain: Drain,
        *,
        ping_seconds: float = 15.0,
        plain: PlainCalls | None = None,
    ) -> None:
        self._gateway = gateway
        self._server = server
        self._sessions = sessions
        self._pauses = pauses
        self._bus = sessions.bus
        self._drain = drain
        self._ping_seconds = ping_seconds
        self._plain = plain
        drain.on_begin(sessions.end_streams)

    def tools_changed(self, workspaces: frozenset[str]) -> None:
        """Tell every session of these workspaces; one without a GET stream hears it when it opens one."""
        for session in self._sessions:
            if session.owner.workspace_id in workspaces:
                stream = session.local.stream
                session.local.announcement_due = stream is None or not stream.offer(_LIST_CHANGED)

    def on_hint(self, hint: JsonObject) -> None:
        """What another replica says about a session that may have something open here."""
        session = self._sessions.here(hint["session"])
        if session is None:
            return
        local = session.local
        if hint["what"] == "closed":
            self._sessions.forget(session.id)
        elif hint["what"] == "cancelled":
            _cancel(session, hint["request"])
        elif hint["what"] == "unanswered" and hint["request"] in local.questions:
            _hand_over(session, hint["request"], {})
        elif hint["what"] == "stream" and local.stream is not None:
            local.stream.end()

    async def post(
        self,
        request: HttpRequest,
        principal: Principal,
        call: JsonRpcMessage,
        receive: AsgiReceive,
        reply: HttpReply,
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

    async def get(
        self, request: HttpRequest, principal: Principal, receive: AsgiReceive, reply: HttpReply
    ) -> None:
        """The stream for what belongs to no request. A new one replaces the old one, wherever that is."""
        session = await self._session(request, principal)
        if not accepts(request, "text/event-stream"):
            raise RequestRefusal("not_acceptable", "GET is answered as text/event-stream only.")
        self._drain.refuse_new_work()
        stream = Stream()
        local = session.local
        if local.stream is not None:
            local.stream.end()
        local.stream = stream
        self._bus.publish("stream", session=session.id)
        if local.announcement_due:
            local.announcement_due = not stream.offer(_LIST_CHANGED)
        try:
            await self._pump(session, stream, receive, reply)
        finally:
            if local.stream is stream:
                local.stream = None
            stream.close()

    async def delete(self, request: HttpRequest, principal: Principal, reply: HttpReply) -> None:
        await self._sessions.close(await self._session(request, principal))
        await reply.json(204, b"")

    async def _session(self, request: HttpRequest, principal: Principal) -> HandshakeSession:
        session_id = request.headers.get(SESSION_HEADER)
        if not session_id:
            raise RequestRefusal(
                "missing_session", "The header mcp-session-id is missing. Send `initialize` first."
            )
        return await self._sessions.use(session_id, principal)

    async def _initialize(
        self, request: HttpRequest, principal: Principal, call: JsonRpcMessage, reply: HttpReply
    ) -> None:
        assert call.id is not None
        if request.headers.get(SESSION_HEADER):
            await self._session(request, principal)
            raise RequestRefusal("bad_request", "Invalid request: this session is initialized already.")
        self._drain.refuse_new_work()
        requested_mode = requested_mode_of(request.query)
        mode = choose(self._gateway.elicitation(principal), requested_mode).mode
        if mode == "native" and not _can_be_asked(call):
            mode = "browser"
        options = self._server.create_initialization_options(NotificationOptions(tools_changed=True))
        options = options.model_copy(
            update={"instructions": instructions(self._gateway, ClientContext(principal), mode)}
        )
        outcome, handshake = await sdk.serve_initialize(
            self._server, call, options, ClientContext(principal, requested_mode=requested_mode)
        )
        headers = {}
        if handshake is not None:
            session = await self._sessions.open(principal, handshake, requested_mode)
            headers[SESSION_HEADER] = session.id
        await reply.json(200 if handshake else 400, outcome.encode(call.id), headers)

    async def _request(
        self,
        request: HttpRequest,
        principal: Principal,
        session: HandshakeSession,
        call: JsonRpcMessage,
        receive: AsgiReceive,
        reply: HttpReply,
    ) -> None:
        assert call.id is not None
        self._drain.refuse_new_work()
        running = session.local.running
        if call.id in running:
            raise RequestRefusal(
                "bad_request", "Invalid request: a request with this id is still running in this session."
            )
        exchange = self._exchange(request, session, receive, reply)
        client = self._client(principal, session)
        ask = exchange.ask if accepts(request, "text/event-stream") else None

        async def run() -> JsonRpcOutcome:
            plain, version = self._plain, session.handshake.version
            if plain is not None and plain.takes(call, version, client):
                return await plain.serve(call, version, client)
            outcome = await sdk.serve_legacy(
                self._server, call, session.handshake, exchange.notify, client, ask
            )
            if plain is not None:
                plain.note(call, version, outcome)
            return outcome

        running[call.id] = exchange.scope
        try:
            await exchange.answer(call, run, lambda code: 200)
        finally:
            running.pop(call.id, None)

    def _exchange(
        self, request: HttpRequest, session: HandshakeSession, receive: AsgiReceive, reply: HttpReply
    ) -> Exchange:
        channel = SessionChannel(
            {SESSION_HEADER: session.id},
            session.local.questions,
            partial(self._sessions.prolong, session),
            # A question that is left behind by draining can still be answered: another replica takes the answer.
            withdraws=lambda: not self._drain.active,
        )
        return Exchange(request, receive, reply, ping_seconds=self._ping_seconds, session=channel)

    def _client(self, principal: Principal, session: HandshakeSession) -> ClientContext:
        async def save() -> None:
            await self._sessions.save(session)

        return ClientContext(principal, session.id, session.requested_mode, session.local.state, save)

    async def _answered(self, session: HandshakeSession, principal: Principal, raw: JsonObject) -> None:
        """The answer to a question of ours: for a request that waits here, else for whoever waits elsewhere."""
        identifier = raw.get("id")
        if _hand_over(session, identifier, raw):
            return
        async with store_errors():
            taken = await self._pauses.record_answer(raw, self._client(principal, session))
        if not taken and isinstance(identifier, str):
            self._bus.publish("unanswered", session=session.id, request=identifier)

    def _cancelled(self, session: HandshakeSession, call: JsonRpcMessage) -> None:
        identifier = (call.params or {}).get("requestId")
        if isinstance(identifier, bool) or not isinstance(identifier, str | int):
            return
        if not _cancel(session, identifier):
            self._bus.publish("cancelled", session=session.id, request=identifier)

    async def _pump(
        self, session: HandshakeSession, stream: Stream, receive: AsgiReceive, reply: HttpReply
    ) -> None:
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


def _hand_over(session: HandshakeSession, identifier: Any, raw: JsonObject) -> bool:
    """Give an answer to the request that waits for it here; False when none does."""
    waiting = session.local.questions.get(identifier) if isinstance(identifier, str | int) else None
    if waiting is None or waiting.done():
        return False
    waiting.set_result(raw)
    return True


def _can_be_asked(call: JsonRpcMessage) -> bool:
    capabilities = (call.params or {}).get("capabilities")
    return isinstance(capabilities, dict) and capabilities.get("elicitation") is not None


def _cancel(session: HandshakeSession, identifier: RequestId) -> bool:
    scope = session.local.running.get(identifier)
    if scope is None:
        return False
    scope.cancel()
    return True


async def _end_when_gone(receive: AsgiReceive, reply: HttpReply, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reply.gone = True
    stream.end()
