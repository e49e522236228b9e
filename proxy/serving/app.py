"""The ASGI application: MCP paths are admitted and served here, everything else goes to Quart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from quart import Quart

from proxy.serving.admission import AdmissionOptions, ApiAdmission, McpAdmission, is_api, mcp_route
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import (
    OUTCOME_KEY,
    AsgiApp,
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    HttpReply,
    HttpRequest,
    RequestOutcome,
)
from proxy.serving.http.errors import RequestRefusal, rest_error
from proxy.serving.http.origins import OriginRules
from proxy.serving.http.prefix import PrefixedApp
from proxy.serving.http.refused import LOGGED, RefusalLog, RefusedCaller
from proxy.serving.mcp import sdk
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.mcp.legacy import LegacyEndpoint
from proxy.serving.mcp.modern import ChangeStreams, ModernEndpoint
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.plain import PlainCalls
from proxy.serving.mcp.replicas import ReplicaBus
from proxy.serving.mcp.server import Handlers, build_server
from proxy.serving.mcp.sessions import HandshakeSessions
from proxy.serving.mcp.tool_calls import ServerOptions
from proxy.serving.rest.discovery import is_discovery
from proxy.serving.rest.operations import ESSENTIAL_PATHS, HEALTH_PATHS, RestOptions, build_rest
from proxy.serving.rest.routes import OPEN_PATHS
from proxy.state.base import Publications
from proxy.state.base import Sessions as SessionStore


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What one start fixes for its HTTP listener. `seals` have the same keys on all replicas. `prefix` is the path of
    our public address now, without a slash at its end."""

    admission: AdmissionOptions = field(default_factory=AdmissionOptions)
    rest: RestOptions = field(default_factory=RestOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    seals: Seals = field(default_factory=Seals)
    refusals: RefusalLog = field(default_factory=RefusalLog)
    session_ttl_seconds: float = 1800.0
    ping_seconds: float = 15.0
    wait_seconds: float = 240.0
    prefix: Callable[[], str] = lambda: ""


class Store(SessionStore, Publications, Protocol):
    """What the MCP paths keep, and what replicas tell each other."""


class ServingApp:
    """One ASGI application per start. `run` hears other replicas, `drain.begin()` starts its end; `close()` ends its
    subscription."""

    def __init__(
        self, gateway: Gateway, drain: Drain, store: Store, options: AppOptions | None = None
    ) -> None:
        options = options or AppOptions()
        self._gateway = gateway
        self._changes = ChangeStreams()
        self._bus = ReplicaBus(store)
        pauses = Pauses(gateway, options.seals, drain, options.wait_seconds)
        handlers = Handlers(gateway, pauses, options.server)
        server = build_server(gateway, self._changes, pauses, options.server, handlers=handlers)
        plain = PlainCalls(handlers, sdk.server_info(server))
        sessions = HandshakeSessions(store, self._bus, ttl_seconds=options.session_ttl_seconds)

        ping = options.ping_seconds
        self._legacy = LegacyEndpoint(
            gateway, server, sessions, pauses, drain, ping_seconds=ping, plain=plain
        )
        modern = ModernEndpoint(gateway, server, drain, ping_seconds=ping, plain=plain)
        self.sessions = sessions
        self.rest = build_rest(gateway, drain, options.rest)
        hosts = options.admission.hosts
        api = ApiAdmission(gateway, hosts, cast(AsgiApp, self.rest), options.admission.turns)
        self._refusals = WatchedAnswers(options.refusals, hosts)
        self._others = NonMcpApp(self.rest, hosts, api, options.refusals)
        self._mcp = McpAdmission(gateway, self._legacy, modern, options.admission)
        self._routed = PrefixedApp(self._route, options.prefix)
        self._unsubscribe = gateway.subscribe(self._changed)
        drain.on_begin(self._changes.end_streams)

    async def run(self) -> None:
        """Exchange hints with other replicas, until cancelled."""
        await self._bus.run(self._on_hint)

    def close(self) -> None:
        self._unsubscribe()

    def _changed(self, workspaces: frozenset[str]) -> None:
        self._announce(workspaces)
        self._bus.publish("tools", workspaces=sorted(workspaces), sha256=self._gateway.config_sha256())

    def _announce(self, workspaces: frozenset[str]) -> None:
        self._legacy.tools_changed(workspaces)
        self._changes.announce(workspaces)

    def _on_hint(self, hint: dict[str, Any] | None) -> None:
        """A replica with the same config has noticed the change itself, or will: telling twice would only have
        clients list twice."""
        if hint is None:
            return
        if hint["what"] != "tools":
            self._legacy.on_hint(hint)
        elif hint["sha256"] != self._gateway.config_sha256():
            self._announce(frozenset(hint["workspaces"]))

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        if scope["type"] == "http":
            await self._routed(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _route(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        route = mcp_route(scope["path"])
        if route is not None:
            await self._mcp.serve(route, scope, receive, self._refusals.watched(route.name, scope, send))
            return
        await self._others(scope, receive, send)


class NonMcpApp:
    """Everything that is not MCP, for callers whose Host and Origin are ours; health and discovery, which tell
    nothing, by any name. `api` admits requests of the REST API."""

    def __init__(
        self,
        app: Quart,
        hosts: OriginRules,
        api: ApiAdmission | None = None,
        refusals: RefusalLog | None = None,
    ) -> None:
        self._app: Any = app
        self._refusals = WatchedAnswers(refusals or RefusalLog(), hosts)
        self._hosts = hosts
        self._api = api

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] == "http":
            request = HttpRequest.of(scope)
            send = self._refusals.watched(_label(request.path), scope, send)
            try:
                request.refuse_repeated()
                if request.path not in HEALTH_PATHS and not is_discovery(request.path):
                    self._hosts.check(request)
            except RequestRefusal as refusal:
                request.outcome.reason = refusal.message
                await HttpReply(send).json(refusal.fault.status, rest_error(refusal), refusal.headers)
                return
            if self._api is not None and is_api(request.path) and request.path not in OPEN_PATHS:
                await self._api.serve(request, scope, receive, send)
                return
        await self._app(scope, receive, send)


class WatchedAnswers:
    """Looks at the status of each answer, and has the log told of callers who are refused."""

    def __init__(self, log: RefusalLog, hosts: OriginRules) -> None:
        self._log = log
        self._hosts = hosts

    def watched(self, route: str, scope: AsgiScope, send: AsgiSend) -> AsgiSend:
        async def watching(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                self._look(route, scope, message["status"])
            await send(message)

        return watching

    def _look(self, route: str, scope: AsgiScope, status: int) -> None:
        outcome: RequestOutcome | None = scope.get(OUTCOME_KEY)
        status = outcome.status or status if outcome is not None else status
        if status not in LOGGED or outcome is None:
            return
        request = HttpRequest.of(scope)
        ip = self._hosts.client_ip(request)
        self._log.note(
            RefusedCaller(status, outcome.reason, route, ip, outcome.principal, request.request_id)
        )


def _label(path: str) -> str:
    """One of a few: paths hold ids."""
    if path in ESSENTIAL_PATHS:
        return path
    return "api" if is_api(path) else "pages"


async def _lifespan(receive: AsgiReceive, send: AsgiSend) -> None:
    """Nothing starts or stops here: the composition root opens and closes everything around the server."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
