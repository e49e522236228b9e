"""Runs an application: over HTTP until a signal says stop, or over stdio until the client leaves.

SIGHUP reloads. SIGTERM and SIGINT drain: readiness goes down, nothing new starts, running executions get
`server.reload.drain_timeout`, then they are cancelled with a clear result. A second signal stops at once.
"""

from __future__ import annotations

import asyncio

# The first request would load it, and by then there may be no descriptor left to do so.
import encodings.idna  # noqa: F401
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any, cast

from integrations.fields import Listen
from proxy.app.application import Application
from proxy.app.latest_end import LATEST_SECONDS, LatestEnd
from proxy.app.options import CannotServe
from proxy.app.pages import LocalPages, page_options
from proxy.app.service_manager import tell_service_manager
from proxy.app.store import store_keys
from proxy.app.tls import ServedTls
from proxy.config import ElicitationMode
from proxy.config.model import Server
from proxy.executions import Executions
from proxy.principal import Principal
from proxy.sandbox.scheduling import favour_this_thread
from proxy.serving.admission import AdmissionOptions, ApiAdmission
from proxy.serving.app import AppOptions, NonMcpApp, ServingApp
from proxy.serving.drain import Drain
from proxy.serving.http.asgi import AsgiApp, HttpRequest
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.http.held import HeldConnections
from proxy.serving.http.origins import HostRules, is_loopback
from proxy.serving.http.prefix import path_prefix
from proxy.serving.http.server import serve_http
from proxy.serving.http.sockets import ActivatedSockets, Opening, address_of, again, opening
from proxy.serving.http.tls import TlsSource
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.mcp.stdio import serve_stdio
from proxy.serving.mcp.tool_calls import ApprovalPageUrl, ServerOptions
from proxy.serving.modes import choose
from proxy.serving.rest.operations import RestOptions, build_metrics, build_rest
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

_log = Logger("serve")
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# For calls that are under way at the end and must not be sent twice.
_GRACE_SECONDS = 5.0
# A listener ends open requests within its own, shorter limits; one that waits to be started again is not waited for.
_CLOSE_SECONDS = 10.0
# How long the event loop waits, each time that it comes back from the system, for a thread that computes: the
# catalog's, or one that reads config. Python's own 5 ms would be felt ten times in every execution.
_SWITCH_SECONDS = 0.0001


class StopSignals:
    """What the signals ask for. `stop` may be set by anyone; `at_once` by a second signal."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.at_once = asyncio.Event()

    def asked(self) -> None:
        if self.stop.is_set():
            self.at_once.set()
        self.stop.set()


@asynccontextmanager
async def _signals(stopping: StopSignals, reload: Callable[[], None]) -> AsyncIterator[None]:
    """Without our handler for SIGHUP the default one would end the process."""
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.asked)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (*_STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the listener really is: port 0 in the config takes a free one. A reload may turn TLS on or off."""

    listen: Listen
    port: int
    tls: ServedTls

    @property
    def is_socket(self) -> bool:
        """Programs that know its path reach it, browsers do not."""
        return self.listen.path is not None

    @property
    def url(self) -> str:
        # A wildcard is no address that anybody can open: behind one, links need `server.public_url`.
        if self.is_socket:
            return str(self.listen)
        host = self.listen.host
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return self.tls.url(reachable, self.port, near=is_loopback(host))


async def run_http(
    application: Application,
    ready: Callable[[Bound], None],
    stopping: StopSignals,
    latest: LatestEnd | None = None,
    activated: ActivatedSockets = ActivatedSockets(),  # noqa: B008 - frozen
) -> None:
    """Serve until a signal or `stopping.stop`, then drain. `latest` ends the process if that hangs.

    Raises `OSError` when the address cannot be had, `InvalidConfig` when nobody should be let in through it, and
    `EssentialTaskFailed` when it cannot serve any more.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    favour_this_thread()
    env = application.options.env
    listen = application.listen if activated.http is None else address_of(activated.http)
    application.listens_on(listen)
    drain, shutdown = Drain(), asyncio.Event()
    dispatch = ServingApp(application.gateway, drain, application.state, _options(application))

    def bound(port: int) -> None:
        address = Bound(listen, port, application.tls)
        if not address.is_socket:
            application.local_address = lambda: address.url
        ready(address)
        tell_service_manager(env, "READY=1", f"STATUS=serving {address.url}")

    tasks = application.tasks
    listeners: list[asyncio.Task[None]] = []
    hints: asyncio.Task[None] | None = None
    try:
        async with _signals(stopping, application.request_reload):
            metrics = _metrics_socket(application, activated)
            if metrics is not None:
                operations = cast(AsgiApp, build_metrics(application.gateway, drain))
                listeners.append(await _listening(tasks, "metrics", metrics, operations, shutdown))
            held = application.clients.held
            opened = _http_socket(application, listen, activated)
            serving = _listening(tasks, "http", opened, dispatch, shutdown, bound, held, application.tls)
            listeners.append(await serving)
            hints = tasks.keep("hints", dispatch.run)
            await _until_stopped(tasks, stopping)
            tell_service_manager(env, "STOPPING=1", "STATUS=draining")
            if latest is not None:
                latest.begin(_stopping_seconds(application.config.server) + LATEST_SECONDS)
            await _left(application, stopping, drain)
            await _drained(application, stopping, drain)
            await tasks.stop(hints)
            shutdown.set()
            await asyncio.wait(listeners, timeout=_CLOSE_SECONDS)
    finally:
        await tasks.stop(hints, *listeners)
        dispatch.close()
    tasks.check()


def _http_socket(application: Application, listen: Listen, activated: ActivatedSockets) -> Opening:
    if activated.http is not None:
        return again(activated.http)
    return opening(listen, int(application.config.server.socket_mode, 8))


def _metrics_socket(application: Application, activated: ActivatedSockets) -> Opening | None:
    """Where metrics have a listener of their own. Raises `CannotServe` for a socket that nothing would serve."""
    metrics = application.config.telemetry.metrics
    if activated.metrics is not None:
        if not metrics.enabled:
            raise CannotServe("systemd passed a socket for metrics, and `telemetry.metrics.enabled` is false")
        return again(activated.metrics)
    if not metrics.enabled or metrics.listen is None:
        return None
    return opening(metrics.listen, int(application.config.server.socket_mode, 8))


async def _listening(
    tasks: TaskSupervisor,
    name: str,
    opened: Opening,
    app: AsgiApp,
    shutdown: asyncio.Event,
    bound: Callable[[int], None] = lambda port: None,
    held: HeldConnections | None = None,
    tls: TlsSource | None = None,
) -> asyncio.Task[None]:
    """A listener, once it is bound. What keeps it from that is raised here; what happens later is the supervisor's."""
    first: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def told(port: int) -> None:
        if not first.done():
            bound(port)
            first.set_result(port)

    async def serve() -> None:
        try:
            await serve_http(
                app,
                opened=opened,
                shutdown=shutdown,
                bound=told,
                held=held,
                tls=tls,
            )
        except Exception as error:
            if first.done():
                raise
            first.set_exception(error)

    task = tasks.keep(name, serve)
    await _either(asyncio.wait([first]), tasks.failed())
    tasks.check()
    await first
    return task


async def _until_stopped(tasks: TaskSupervisor, stopping: StopSignals) -> None:
    """Returns when a signal says stop, or when nothing is served any more: then there is nothing to wait for."""
    await _either(stopping.stop.wait(), tasks.failed())
    if tasks.failure is not None:
        stopping.stop.set()
        stopping.at_once.set()


def _stopping_seconds(server: Server) -> float:
    return (server.shutdown_delay or 0.0) + server.reload.drain_timeout


async def _left(application: Application, stopping: StopSignals, drain: Drain) -> None:
    """Readiness is down, and everything is served until balancers have noticed, or a second signal."""
    seconds = application.config.server.shutdown_delay
    drain.leaving = True
    if seconds is not None and not stopping.at_once.is_set():
        _log.info("leaving", detail="not ready any more, still serving", for_seconds=seconds)
        await _either(asyncio.sleep(seconds), stopping.at_once.wait())


async def _drained(application: Application, stopping: StopSignals, drain: Drain) -> None:
    drain.begin()
    seconds = application.config.server.reload.drain_timeout
    _log.info("draining", executions=application.executions.running, limit_seconds=seconds)
    await finish_executions(application.executions, seconds, stopping.at_once)


class LiveRules:
    """The front's rules under the config that serves now, so that a reload reaches CORS and trusted proxies."""

    def __init__(self, application: Application, host: str | None = None) -> None:
        self._application = application
        self._listen = host or application.listen.host
        self._made: tuple[Server, HostRules] | None = None

    def check(self, request: HttpRequest) -> str | None:
        return self._rules().check(request)

    def client_ip(self, request: HttpRequest) -> str:
        return self._rules().client_ip(request)

    def _rules(self) -> HostRules:
        server = self._application.config.server
        if self._made is None or self._made[0] is not server:
            rules = HostRules.build(
                self._listen,
                server.public_url,
                server.hosts,
                server.cors.allow_origins,
                server.trusted_proxies,
            )
            self._made = (server, rules)
        return self._made[1]


def _options(application: Application) -> AppOptions:
    metrics = application.config.telemetry.metrics.enabled
    rules, seals = LiveRules(application), _seals(application)
    pages = page_options(application, rules, seals)
    loopback = application.listen.is_loopback

    def admin_open() -> bool:
        """Asked for each request: a reload may bring callers, or the word that something stands in front."""
        config = application.config
        server = config.server
        in_front = server.public_url is not None or server.hosts or server.trusted_proxies
        return loopback and config.auth is None and not in_front

    rest = RestOptions(
        admin_open, rules.client_ip, metrics=metrics, pages=pages, address=lambda: application.address
    )
    return AppOptions(
        AdmissionOptions(rules, spans=application.spans, turns=application.turns),
        rest,
        _server_options(),
        seals=seals,
        refusals=application.refusals,
        prefix=lambda: path_prefix(application.config.server.public_url),
    )


def _server_options(page: ApprovalPageUrl | None = None) -> ServerOptions:
    return ServerOptions(version=metadata.version("executor-proxy"), page=page)


def _seals(application: Application) -> Seals:
    """With the keys that the store was opened with: a reload changes neither."""
    return Seals(store_keys(application.config, application.options.env))


async def run_stdio(
    application: Application,
    principal: Principal,
    wish: ElicitationMode | None,
    latest: LatestEnd | None = None,
) -> None:
    """Serve one client until it closes stdin or a signal comes. `wish` is the elicitation mode that the command line
    asks for; `latest` ends the process if what comes then hangs. Raises `InvalidConfig` when the config does not let
    it choose, `EssentialTaskFailed` when it cannot serve any more."""
    _check_wish(application, principal, wish)
    stopping = StopSignals()
    tasks = application.tasks
    async with _signals(stopping, application.request_reload), _pages(application) as pages:
        redis = application.config.state.backend == "redis"
        elsewhere = redis and application.config.server.public_url
        serve = partial(
            serve_stdio,
            application.gateway,
            principal,
            _server_options(None if elsewhere else pages.page),
            requested_mode=wish,
            seals=_seals(application),
        )
        serving = tasks.keep("stdio", serve)
        try:
            await _either(asyncio.wait([serving]), stopping.stop.wait())
        finally:
            if latest is not None:
                latest.begin(LATEST_SECONDS)
            await tasks.stop(serving)
    tasks.check()


def _check_wish(application: Application, principal: Principal, wish: ElicitationMode | None) -> None:
    try:
        choose(application.gateway.elicitation(principal), wish)
    except RequestRefusal as refusal:
        raise CannotServe(f"--elicitation-mode {wish}: {refusal.message}") from None


@asynccontextmanager
async def _pages(application: Application) -> AsyncIterator[LocalPages]:
    """A person at this machine decides here, whatever `public_url` says: that server has another store (unless both
    share one Redis, and then its page is as good)."""

    def bound(origin: str) -> None:
        application.local_address = lambda: origin
        files = application.access
        token = {"sign_in_with_token_in": str(files.approver_file)} if files.approver_token else {}
        _log.info("approval_page", url=origin, **token)

    hosts = LiveRules(application, "127.0.0.1")
    options = page_options(application, hosts, _seals(application), public=False)
    app = build_rest(application.gateway, Drain(), RestOptions(metrics=False, pages=options))
    api = ApiAdmission(application.gateway, hosts, cast(AsgiApp, app))
    front = NonMcpApp(app, hosts, api, application.refusals)
    pages = LocalPages(application.tasks, front, bound)
    try:
        yield pages
    finally:
        await pages.close()


async def finish_executions(executions: Executions, seconds: float, at_once: asyncio.Event) -> None:
    """Wait for running executions, at most `seconds` or until `at_once`; then hand over what is left."""
    await _either(executions.idle(), at_once.wait(), seconds)
    await executions.hand_over(0.0 if at_once.is_set() else _GRACE_SECONDS)


async def _either(
    one: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object], seconds: float | None = None
) -> None:
    """Returns when one of them has, or the time is over."""
    both = [asyncio.ensure_future(one), asyncio.ensure_future(other)]  # noqa: TID251 - cancelled right here
    try:
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
