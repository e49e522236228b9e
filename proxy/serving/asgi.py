"""The ASGI application: MCP paths go straight to the envelope, everything else to Quart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from quart import Quart

from proxy.principal import Principal
from proxy.serving.api import OPEN_PATHS, ApiFront, is_api
from proxy.serving.api.call import Problem
from proxy.serving.api.front import problem_body
from proxy.serving.drain import Drain
from proxy.serving.envelope import Envelope, EnvelopeOptions
from proxy.serving.errors import Refusal
from proxy.serving.gateway import Gateway
from proxy.serving.http import AsgiApp, Receive, Reply, Request, Scope, Send
from proxy.serving.legacy import LegacyLeg
from proxy.serving.mcp import Changes, ServerOptions, build_server, instructions
from proxy.serving.modern import ModernLeg
from proxy.serving.peer import Peer
from proxy.serving.rest import RestOptions, build_rest
from proxy.serving.routes import mcp_route
from proxy.serving.sessions import Sessions


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What one start fixes for its HTTP listener."""

    envelope: EnvelopeOptions = field(default_factory=EnvelopeOptions)
    rest: RestOptions = field(default_factory=RestOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    session_ttl_seconds: float = 1800.0
    ping_seconds: float = 15.0
    clock: Callable[[], float] = time.monotonic


class Dispatch:
    """One ASGI application per start. `drain.begin()` starts its end; `close()` ends its subscription."""

    def __init__(self, gateway: Gateway, drain: Drain, options: AppOptions | None = None) -> None:
        options = options or AppOptions()
        changes = Changes()
        server = build_server(gateway, changes, options.server)
        sessions = Sessions(options.clock, ttl_seconds=options.session_ttl_seconds)

        def text(principal: Principal) -> str:
            return instructions(gateway, Peer(principal))

        legacy = LegacyLeg(server, sessions, drain, text, ping_seconds=options.ping_seconds)
        modern = ModernLeg(server, drain, ping_seconds=options.ping_seconds)
        self.sessions = sessions
        self.rest: Quart = build_rest(gateway, drain, options.rest)
        self._hosts = options.envelope.hosts
        self._api = ApiFront(gateway, self._hosts, cast(AsgiApp, self.rest))
        self._envelope = Envelope(gateway, legacy, modern, options.envelope)
        self.close = _subscribe(gateway, legacy, changes)
        drain.on_begin(changes.end_streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = mcp_route(scope["path"])
        if route is not None:
            await self._envelope.serve(route, scope, receive, send)
            return
        request = Request.of(scope)
        try:
            request.refuse_repeated()
            self._hosts.check(request)
        except Refusal as refusal:
            problem = Problem.of(refusal)
            await Reply(send).json(problem.status, problem_body(problem), problem.headers)
            return
        if is_api(request.path) and request.path not in OPEN_PATHS:
            await self._api.serve(request, scope, receive, send)
            return
        app: Any = self.rest
        await app(scope, receive, send)


def _subscribe(gateway: Gateway, legacy: LegacyLeg, changes: Changes) -> Callable[[], None]:
    def changed(workspaces: frozenset[str]) -> None:
        legacy.tools_changed(workspaces)
        changes.announce(workspaces)

    return gateway.subscribe(changed)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing starts or stops here: the composition root opens and closes everything around the server."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
