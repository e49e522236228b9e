"""Protocol 2026-07-28: every POST stands alone, its answer is the only channel, and leaving cancels it. Changed tools
are announced on `subscriptions/listen` streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged

from proxy.principal import Principal
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import AsgiReceive, HttpReply, HttpRequest
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp import sdk
from proxy.serving.mcp.client import ClientContext, ClientStates, McpContext
from proxy.serving.mcp.exchange import Exchange, accepts
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome
from proxy.serving.mcp.plain import PlainCalls
from proxy.serving.modes import choose, requested_mode_of


class ModernEndpoint:
    """Serves what `sdk.is_modern` claims. Holds nothing between requests but which description a client was told."""

    def __init__(
        self,
        gateway: Gateway,
        server: Server[Any],
        drain: Drain,
        *,
        ping_seconds: float = 15.0,
        plain: PlainCalls | None = None,
    ) -> None:
        self._gateway = gateway
        self._server = server
        self._drain = drain
        self._ping_seconds = ping_seconds
        self._plain = plain
        self._client_states = ClientStates()

    async def serve(
        self,
        request: HttpRequest,
        principal: Principal,
        call: JsonRpcMessage,
        receive: AsgiReceive,
        reply: HttpReply,
    ) -> None:
        if call.kind == "response":
            raise RequestRefusal(
                "bad_request",
                "Invalid request: a server of this version asks nothing, so nothing is answered.",
            )
        if call.kind == "notification":
            await self._acknowledge(request, reply)
            return
        self._drain.refuse_new_work()
        if call.method == "subscriptions/listen" and not accepts(request, "text/event-stream"):
            raise RequestRefusal(
                "not_acceptable", "subscriptions/listen is answered as text/event-stream only."
            )
        envelope = sdk.open_envelope(call, request.headers, request.repeated)
        if isinstance(envelope, JsonRpcOutcome):
            await _refuse(reply, call, envelope)
            return
        client = self._client(request, principal, envelope)
        exchange = Exchange(request, receive, reply, ping_seconds=self._ping_seconds)

        async def run() -> JsonRpcOutcome:
            plain = self._plain
            if plain is not None and plain.takes(call, envelope.version, client):
                return await plain.serve(call, envelope.version, client)
            outcome = await sdk.serve_modern(self._server, call, envelope, exchange.notify, client)
            if plain is not None:
                plain.note(call, envelope.version, outcome)
            return outcome

        await exchange.answer(call, run, sdk.modern_status)

    def _client(
        self, request: HttpRequest, principal: Principal, envelope: sdk.RequestEnvelope
    ) -> ClientContext:
        requested_mode = requested_mode_of(request.query)
        choose(self._gateway.elicitation(principal), requested_mode)
        return ClientContext(
            principal, requested_mode=requested_mode, state=self._client_states.of(principal, envelope.client)
        )

    async def _acknowledge(self, request: HttpRequest, reply: HttpReply) -> None:
        """This version defines no client notifications over HTTP; they are accepted and dropped."""
        refused = sdk.refuse_version(request.headers)
        if refused is None:
            await reply.json(202, b"")
        else:
            raise RequestRefusal("bad_request", refused.message, data=refused.data)


async def _refuse(reply: HttpReply, call: JsonRpcMessage, outcome: JsonRpcOutcome) -> None:
    assert call.id is not None
    await reply.json(sdk.modern_status(outcome.code), outcome.encode(call.id))


class ChangeStreams:
    """The `subscriptions/listen` streams by workspace, so that nobody hears of another's changes."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[_Bus, ListenHandler]] = {}

    def announce(self, workspaces: frozenset[str]) -> None:
        for workspace in workspaces & self._handlers.keys():
            self._handlers[workspace][0].tell(ToolsListChanged())

    def end_streams(self) -> None:
        """Each stream sends its final result and ends; the client knows that it was on purpose."""
        for _, handler in self._handlers.values():
            handler.close()

    async def listen(
        self, context: McpContext, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        workspace = context.lifespan_context.principal.workspace_id
        if workspace not in self._handlers:
            bus = _Bus()
            self._handlers[workspace] = (bus, ListenHandler(bus, max_buffered_events=64))
        return await self._handlers[workspace][1](context, params)


class _Bus:
    """The SDK's `SubscriptionBus`, told synchronously."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}

    async def publish(self, event: ServerEvent) -> None:
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        for listener in list(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe
