"""Health, readiness, metrics and the admin routes under `/-/`, on Quart.

Health is open to everybody and says nothing but yes or no. The rest needs a bearer token whose principal is an admin.
Who reaches a loopback listener needs none, as long as the config knows neither callers nor a public address: with
either, somebody's reverse proxy may well be what connects from loopback. A separate metrics listener has health and
metrics only, open to whoever reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, cast

from quart import Quart, Response, request

from integrations.json_text import write_json
from proxy.serving.admission import check_operator
from proxy.serving.console import add_console
from proxy.serving.drain import RETRY_AFTER_SECONDS, Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest, RequestOutcome
from proxy.serving.http.errors import RequestRefusal, internal_error
from proxy.serving.pages import CONSOLE_PATH, LIST_PATH, PageOptions, add_pages
from proxy.serving.rest.discovery import add_anonymous_tokens, add_discovery
from proxy.serving.rest.front import PublicAddress, add_front
from proxy.serving.rest.views import QuartView, add_api, refused
from proxy.telemetry import Logger

_log = Logger("admin")
ALIVE_PATHS: Final = ("/healthz", "/api/health", "/-/healthy")
READY_PATHS: Final = ("/readyz", "/-/ready")
HEALTH_PATHS: Final = frozenset((*ALIVE_PATHS, *READY_PATHS))
ESSENTIAL_PATHS: Final = HEALTH_PATHS | {"/metrics", "/-/status", "/-/config", "/-/reload"}
"""What still works when all connections are in use."""


@dataclass(frozen=True, slots=True)
class RestOptions:
    """`admin_open`: whether everybody who reaches the listener directly is an operator, asked for each request.
    `metrics` off: no `/metrics`. `api` off: no REST API. `pages` None: neither approval pages nor console. `address`:
    how callers reach this server, for what `GET /` prints. `client_ip`: the address of whoever sent a request.
    `settings` go to Quart."""

    admin_open: Callable[[], bool] = lambda: False
    client_ip: Callable[[HttpRequest], str] = lambda request: request.peer_ip
    metrics: bool = True
    api: bool = True
    pages: PageOptions | None = None
    address: PublicAddress = lambda: None
    settings: Mapping[str, Any] = field(default_factory=lambda: {"MAX_CONTENT_LENGTH": 64 * 1024})


def build_rest(gateway: Gateway, drain: Drain, options: RestOptions) -> Quart:
    """A Quart app with the operations routes, the REST API and the pages, as far as `options` wants them."""
    app = _app(options.settings)
    _health(app, gateway, drain)
    _operations(app, gateway, _Guard(gateway, options))
    add_discovery(app, gateway)
    add_anonymous_tokens(app, gateway, options.client_ip)
    if options.api:
        add_api(app, gateway, drain)
    if options.pages is not None:
        add_pages(app, gateway, options.pages)
        add_console(app, gateway, options.pages, drain)
    add_front(app, options.address, _front_page(options.pages))
    return app


def _front_page(pages: PageOptions | None) -> Callable[[], str | None]:
    """Where browsers that only know the address are sent: the console, where it is on."""

    def page() -> str | None:
        if pages is None:
            return None
        return CONSOLE_PATH if pages.console() else LIST_PATH

    return page


def build_metrics(gateway: Gateway, drain: Drain) -> Quart:
    """A Quart app for a listener of its own: health and metrics, and nothing that tells or changes more."""
    app = _app(RestOptions().settings)
    _health(app, gateway, drain)
    app.add_url_rule("/metrics", "metrics", _metrics(gateway), methods=["GET"])
    return app


def _app(settings: Mapping[str, Any]) -> Quart:
    app = Quart("proxy.serving", static_folder=None, template_folder=None)
    app.config.update(settings)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(405, _not_allowed)
    app.register_error_handler(Exception, _internal)
    return app


def _health(app: Quart, gateway: Gateway, drain: Drain) -> None:
    async def alive() -> Response:
        return _json(200, {"status": "ok"})

    async def ready() -> Response:
        if drain.leaving:
            headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
            return _json(503, {"status": "unavailable", "reason": "draining"}, headers)
        is_ready, reason = gateway.ready(request.args.get("config") == "latest")
        return (
            _json(200, {"status": "ready"})
            if is_ready
            else _json(503, {"status": "unavailable", "reason": reason})
        )

    for path in ALIVE_PATHS:
        app.add_url_rule(path, path, alive, methods=["GET"])
    for path in READY_PATHS:
        app.add_url_rule(path, path, ready, methods=["GET"])


def _metrics(gateway: Gateway) -> QuartView:
    async def metrics() -> Response:
        return Response(gateway.metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return metrics


def _operations(app: Quart, gateway: Gateway, guard: _Guard) -> None:
    async def status() -> Response:
        return _json(200, gateway.status())

    async def config() -> Response:
        effective, sha256 = gateway.config()
        etag = f'"{sha256}"'
        if etag in request.headers.get("if-none-match", ""):
            return Response(b"", 304, {"etag": etag})
        return _json(200, effective, {"etag": etag})

    async def reload() -> Response:
        outcome: RequestOutcome = HttpRequest.of(cast(Any, request.scope)).outcome
        who = outcome.principal
        _log.info(
            "reload_asked",
            workspace=who.workspace_id if who else None,
            account=who.account_id if who else "anyone here",
        )
        report = await gateway.reload()
        return _json(422 if report.outcome == "rejected" else 200, report.body)

    if guard.options.metrics:
        app.add_url_rule("/metrics", "metrics", guard(_metrics(gateway)), methods=["GET"])
    app.add_url_rule("/-/status", "status", guard(status), methods=["GET"])
    app.add_url_rule("/-/config", "config", guard(config), methods=["GET"])
    app.add_url_rule("/-/reload", "reload", guard(reload), methods=["POST"])


class _Guard:
    """Lets operators in and nobody else."""

    def __init__(self, gateway: Gateway, options: RestOptions) -> None:
        self._gateway = gateway
        self.options = options

    def __call__(self, view: QuartView) -> QuartView:
        @wraps(view)
        async def guarded() -> Response:
            return await self._refusal() or await view()

        return guarded

    async def _refusal(self) -> Response | None:
        try:
            asked = HttpRequest.of(cast(Any, request.scope))
            ip = self.options.client_ip(asked)
            await check_operator(self._gateway, asked, ip, open_here=self.options.admin_open())
        except RequestRefusal as refusal:
            return refused(refusal)
        return None


async def _not_found(_: Exception) -> Response:
    return refused(RequestRefusal("not_found", "There is nothing at this path."))


async def _not_allowed(error: Exception) -> Response:
    methods = getattr(error, "valid_methods", None) or ()
    headers = {"allow": ", ".join(sorted(methods))}
    return refused(RequestRefusal("method_not_allowed", "Method not allowed.", headers=headers))


async def _internal(error: Exception) -> Response:
    return refused(internal_error(error))


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(write_json(body), status, dict(headers or {}), content_type="application/json")
