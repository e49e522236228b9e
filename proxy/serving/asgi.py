"""The ASGI application: MCP paths go straight to the envelope, everything else to Quart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from quart import Quart

from proxy.principal import Principal
from proxy.serving.calling import ServerOptions
from proxy.serving.changes import Changes
from proxy.serving.drain import Drain
from proxy.serving.envelope import Envelope, EnvelopeOptions
from proxy.serving.errors import Refusal
from proxy.serving.gateway import Gateway
from proxy.serving.http import AsgiApp, Receive, Reply, Request, Scope, Send
from proxy.serving.legacy import LegacyLeg
from proxy.serving.mcp import build_server, instructions
from proxy.serving.modern import ModernLeg
from proxy.serving.origins import FrontRules
from proxy.serving.pausing import Pauses
from proxy.serving.peer import Peer
from proxy.serving.rest.front import ApiFront, is_api, problem_body
from proxy.serving.rest.operations import RestOptions, build_rest
from proxy.serving.rest.request import ApiProblem
from proxy.serving.rest.routes import OPEN_PATHS
from proxy.serving.routes import mcp_route
from proxy.serving.sealing import Seals
from proxy.serving.sessions import Sessions
from proxy.serving.wire import Wire
from proxy.state.base import Publications
from proxy.state.base import Sessions as SessionStore


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What one start fixes for its HTTP listener. `seals` have the same keys on all replicas."""

    envelope: EnvelopeOptions = field(default_factory=EnvelopeOptions)
    rest: RestOptions = field(default_factory=RestOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    seals: Seals = field(default_factory=Seals)
    session_ttl_seconds: float = 1800.0
    ping_seconds: float = 15.0
    wait_seconds: float = 240.0


class Store(SessionStore, Publications, Protocol):
    """What the MCP paths keep, and what replicas tell each other."""


class Dispatch:
    """One ASGI application per start. `run` hears other replicas, `drain.begin()` starts its end; `close()` ends its
    subscription."""

    def __init__(
        self, gateway: Gateway, drain: Drain, store: Store, options: AppOptions | None = None
    ) -> None:
        options = options or AppOptions()
        self._gateway = gateway
        self._changes = Changes()
        self._wire = Wire(store)
        pauses = Pauses(gateway, options.seals, drain, options.wait_seconds)
        server = build_server(gateway, self._changes, pauses, options.server)
        sessions = Sessions(store, self._wire, ttl_seconds=options.session_ttl_seconds)

        def text(principal: Principal) -> str:
            return instructions(gateway, Peer(principal))

        ping = options.ping_seconds
        self._legacy = LegacyLeg(
            gateway, server, sessions, pauses, self._wire, drain, text, ping_seconds=ping
        )
        modern = ModernLeg(gateway, server, drain, ping_seconds=ping)
        self.sessions = sessions
        self.rest = build_rest(gateway, drain, options.rest)
        hosts = options.envelope.hosts
        self._beside = Beside(self.rest, hosts, ApiFront(gateway, hosts, cast(AsgiApp, self.rest)))
        self._envelope = Envelope(gateway, self._legacy, modern, options.envelope)
        self._unsubscribe = gateway.subscribe(self._changed)
        drain.on_begin(self._changes.end_streams)

    async def run(self) -> None:
        """Exchange hints with other replicas, until cancelled."""
        await self._wire.run(self._heard)

    def close(self) -> None:
        self._unsubscribe()

    def _changed(self, workspaces: frozenset[str]) -> None:
        self._tell(workspaces)
        self._wire.tell("tools", workspaces=sorted(workspaces), sha256=self._gateway.config_sha256())

    def _tell(self, workspaces: frozenset[str]) -> None:
        self._legacy.tools_changed(workspaces)
        self._changes.announce(workspaces)

    def _heard(self, hint: dict[str, Any] | None) -> None:
        """A replica with the same config has noticed the change itself, or will: telling twice would only have
        clients list twice."""
        if hint is None:
            return
        if hint["what"] != "tools":
            self._legacy.heard(hint)
        elif hint["sha256"] != self._gateway.config_sha256():
            self._tell(frozenset(hint["workspaces"]))

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
        await self._beside(scope, receive, send)


class Beside:
    """What is served beside the MCP paths, for callers whose Host and Origin are ours. `api` stands before the API."""

    def __init__(self, app: Quart, hosts: FrontRules, api: ApiFront | None = None) -> None:
        self._app: Any = app
        self._hosts = hosts
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] == "http":
            request = Request.of(scope)
            try:
                request.refuse_repeated()
                self._hosts.check(request)
            except Refusal as refusal:
                problem = ApiProblem.of(refusal)
                await Reply(send).json(problem.status, problem_body(problem), problem.headers)
                return
            if self._api is not None and is_api(request.path) and request.path not in OPEN_PATHS:
                await self._api.serve(request, scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing starts or stops here: the composition root opens and closes everything around the server."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
