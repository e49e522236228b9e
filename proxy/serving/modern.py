"""The 2026-07-28 leg: every POST stands alone, its answer is the only channel, and leaving cancels it."""

from __future__ import annotations

from typing import Any

from mcp.server import Server

from proxy.principal import Principal
from proxy.serving import sdk
from proxy.serving.drain import Drain
from proxy.serving.errors import Refusal
from proxy.serving.exchange import Exchange, accepts
from proxy.serving.gateway import Gateway
from proxy.serving.http import Receive, Reply, Request
from proxy.serving.messages import Incoming, Outcome
from proxy.serving.modes import choose, wish_of
from proxy.serving.peer import Memories, Peer


class ModernLeg:
    """Serves what `sdk.is_modern` claims. Holds nothing between requests but which description a client was
    told."""

    def __init__(
        self, gateway: Gateway, server: Server[Any], drain: Drain, *, ping_seconds: float = 15.0
    ) -> None:
        self._gateway = gateway
        self._server = server
        self._drain = drain
        self._ping_seconds = ping_seconds
        self._memories = Memories()

    async def serve(
        self, request: Request, principal: Principal, call: Incoming, receive: Receive, reply: Reply
    ) -> None:
        if call.kind == "response":
            raise Refusal(
                "bad_request",
                "Invalid request: a server of this version asks nothing, so nothing is answered.",
            )
        if call.kind == "notification":
            await self._acknowledge(request, reply)
            return
        self._drain.refuse_new_work()
        if call.method == "subscriptions/listen" and not accepts(request, "text/event-stream"):
            raise Refusal("not_acceptable", "subscriptions/listen is answered as text/event-stream only.")
        envelope = sdk.open_envelope(call, request.headers, request.repeated)
        if isinstance(envelope, Outcome):
            await _refuse(reply, call, envelope)
            return
        peer = self._peer(request, principal, envelope)
        exchange = Exchange(request, receive, reply, patient=False, ping_seconds=self._ping_seconds)

        async def run() -> Outcome:
            return await sdk.serve_modern(self._server, call, envelope, exchange.notify, peer)

        await exchange.answer(call, run, sdk.modern_status)

    def _peer(self, request: Request, principal: Principal, envelope: sdk.Envelope) -> Peer:
        wish = wish_of(request.query)
        choose(self._gateway.elicitation(principal), wish)
        return Peer(principal, wish=wish, memory=self._memories.of(principal, envelope.client))

    async def _acknowledge(self, request: Request, reply: Reply) -> None:
        """This version defines no client notifications over HTTP; they are accepted and dropped."""
        refused = sdk.refuse_version(request.headers)
        if refused is None:
            await reply.json(202, b"")
        else:
            raise Refusal("bad_request", refused.message, data=refused.data)


async def _refuse(reply: Reply, call: Incoming, outcome: Outcome) -> None:
    assert call.id is not None
    await reply.json(sdk.modern_status(outcome.code), outcome.encode(call.id))
