"""Admission: what every MCP and API request passes before it is served, and every answer on its way out.

A request passes, in this order: host and origin, caller, type and size of its body, rate limit (over REST before the
body). Whatever is wrong is answered with the error encoder of its protocol. A message of MCP that is refused for how
often or how much its client sends is answered under its own id, so that the client can tell its caller and go on. Every
answer gets a request id, a log line, a metric and a span.

    Admission         the steps, for one protocol
    McpAdmission      the MCP paths: CORS and preflight, then the endpoint of the client's protocol version
    ApiAdmission      the REST API: no anonymous callers, then Quart
    check_operator    the operations routes, whose bodies, counts and answers are Quart's
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

import anyio

from integrations.base import JsonObject
from integrations.json_rpc import id_at
from proxy.auth import AuthError, AuthRequest
from proxy.principal import Principal
from proxy.serving.gateway import Callers, Gateway
from proxy.serving.http.asgi import (
    AsgiApp,
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    BodyTooLarge,
    HttpReceiver,
    HttpReply,
    HttpRequest,
    read_away,
    read_body,
    read_object,
)
from proxy.serving.http.errors import (
    Fault,
    RateLimited,
    RefusalKind,
    RequestRefusal,
    internal_error,
    jsonrpc_error,
    rate_limited,
    rest_error,
)
from proxy.serving.http.origins import HostRules, OriginRules
from proxy.serving.mcp import sdk
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome, RequestId, parse
from proxy.serving.mcp.legacy import LegacyEndpoint
from proxy.serving.mcp.modern import ModernEndpoint
from proxy.serving.mcp.tool_calls import text_error
from proxy.telemetry import Logger, Millis
from proxy.telemetry.spans import AttributeValue, NoSpans, Spans
from proxy.turns import Turns

_log = Logger("access")

METHODS: Final = ("GET", "POST", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS: Final = (
    "content-type, authorization, x-api-key, accept, mcp-session-id, mcp-protocol-version, mcp-method, "
    "mcp-name, last-event-id"
)
CORS_EXPOSED_HEADERS: Final = "mcp-session-id, www-authenticate, retry-after"
SCOPE_KEY: Final = "executor.admitted"
"""Where the scope of an API request holds its `AdmittedRequest`."""
# Behind a reverse proxy on this machine every caller comes from loopback, so a request it forwards is not local.
_FORWARDED: Final = (
    "forwarded", "via", "x-forwarded", "x-original-", "x-real-ip", "x-client-", "x-cluster-client-", "true-client-ip",
    "x-envoy-", "x-amzn-", "x-azure-", "x-arr-", "x-appengine-", "x-cloud-trace-", "x-request-id", "x-correlation-id",
    "x-b3-", "cf-", "cdn-", "fastly-", "fly-", "akamai-",
)  # fmt: skip
"""How the names begin of headers that proxies add and nobody sends by hand."""
_WORKSPACE = re.compile(r"/(?P<workspace>[A-Za-z0-9][A-Za-z0-9_.-]{0,127})/mcp/?")
_API_WORKSPACE: Final = re.compile(r"/api/v1/workspaces/([^/]+)/")
_AUTH_KINDS: Final[dict[int, RefusalKind]] = {400: "bad_request", 401: "unauthorized", 403: "forbidden"}
API_ROUTE: Final = "api"
_BUSY_SECONDS: Final = 1
ErrorEncoder = Callable[[RequestRefusal], bytes]
AdmittedHandler = Callable[[HttpRequest, HttpReceiver, HttpReply], Awaitable[None]]
"""Serves one request; what it raises is answered by `Admission`."""


@dataclass(frozen=True, slots=True)
class McpRoute:
    """`name` is the label of logs and metrics: one of four (and `stream` for GET), whatever callers ask for."""

    name: str
    workspace: str | None = None
    anonymous: bool = False
    resource_path: str = ""
    """As it is published (RFC 9728); empty where no tokens are accepted."""


_FIXED = {
    "/mcp": McpRoute("mcp", resource_path="/mcp"),
    "/v1/mcp": McpRoute("v1", resource_path="/v1/mcp"),
    "/mcp/anonymous": McpRoute("anonymous", anonymous=True),
    "/v1/mcp/anonymous": McpRoute("anonymous", anonymous=True),
}


def mcp_route(path: str) -> McpRoute | None:
    """The MCP endpoint of a path, or None. A trailing slash makes no difference."""
    fixed = _FIXED.get(path.rstrip("/"))
    if fixed is not None:
        return fixed
    match = _WORKSPACE.fullmatch(path)
    if match is None:
        return None
    return McpRoute("workspace", workspace=match["workspace"], resource_path=f"/{match['workspace']}/mcp")


def _api_route(path: str) -> McpRoute | None:
    """For paths that name a workspace: it is the one that the caller enters."""
    match = _API_WORKSPACE.match(path)
    return McpRoute(API_ROUTE, workspace=match[1]) if match is not None else None


def is_api(path: str) -> bool:
    """Whether a path belongs to the REST API, known or not."""
    return path == "/api" or path.startswith("/api/")


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """`hosts` decides about Host and Origin. Bodies over `max_body_bytes` are refused unread, as are those that take
    longer than `body_seconds`. Each request is a span of `spans`, and waits for its account's turn (`turns`)."""

    hosts: OriginRules = field(default_factory=lambda: HostRules(loopback=True))
    max_body_bytes: int = 1024 * 1024
    body_seconds: float = 30.0
    spans: Spans = field(default_factory=NoSpans)
    turns: Turns = field(default_factory=Turns)


class Admission:
    """The steps of one protocol, whose errors `encode` writes. Those that refuse raise `RequestRefusal`."""

    def __init__(self, gateway: Gateway, options: AdmissionOptions, encode: ErrorEncoder) -> None:
        self._gateway = gateway
        self._options = options
        self._encode = encode

    async def serve(
        self,
        route: str,
        request: HttpRequest,
        reply: HttpReply,
        inbox: HttpReceiver,
        handler: AdmittedHandler,
    ) -> None:
        """Run `handler`, answer whatever it raises, and account for the request. `route` is its label."""
        started = time.perf_counter()
        reply.always("x-request-id", request.request_id)
        attributes: dict[str, AttributeValue] = {"http.request.method": request.method, "http.route": route}
        with self._options.spans.span(
            "request", "server", attributes=attributes, caller=request.headers
        ) as span:
            try:
                await handler(request, inbox, reply)
            except RequestRefusal as refusal:
                request.outcome.reason = refusal.message
                await self._refuse(reply, inbox, refusal)
            except Exception as error:  # the outermost boundary: without it Hypercorn sends an empty 500
                await self._refuse(reply, inbox, internal_error(error))
            finally:
                self._account(route, request, reply, time.perf_counter() - started)
                span.note("http.response.status_code", reply.status)

    def check_origin(self, request: HttpRequest) -> str | None:
        """The origin to allow in CORS answers, or None when there is none."""
        request.refuse_repeated()
        return self._options.hosts.check(request)

    async def caller(self, request: HttpRequest, route: McpRoute | None = None) -> Principal:
        """Who asks, when it is their turn; the request counts for their address and account until it is answered."""
        ip, held = self._options.hosts.client_ip(request), request.held
        if held is not None:
            _refuse_too_many(held.comes_from(ip))
        principal = await authenticate(self._gateway, request, ip, route)
        if held is not None:
            _refuse_too_many(held.belongs_to(f"{principal.workspace_id}/{principal.account_id}"))
        await self._options.turns.take(principal.account)
        return principal

    async def count(self, principal: Principal, request: HttpRequest) -> None:
        try:
            await self.limit(principal, request)
        except RateLimited as error:
            raise rate_limited(error) from None

    async def limit(self, principal: Principal, request: HttpRequest) -> None:
        """Count the request, as `Callers.check_request_limit`."""
        await self._gateway.check_request_limit(principal, self._options.hosts.client_ip(request))

    async def body(self, request: HttpRequest, receive: AsgiReceive) -> bytes:
        with anyio.move_on_after(self._options.body_seconds):
            return await read_body(request, receive, self._options.max_body_bytes)
        seconds = self._options.body_seconds
        raise RequestRefusal("bad_request", f"The request body did not arrive within {seconds:g} s.")

    async def _refuse(self, reply: HttpReply, inbox: HttpReceiver, refusal: RequestRefusal) -> None:
        """Answer with the error, unless an answer has begun: then the stream can only end."""
        if not reply.started:
            body = self._encode(refusal)
            await reply.json(refusal.fault.status, body, refusal.headers, more=not inbox.complete)
            await read_away(inbox)
        await reply.body(b"")

    def _account(self, route: str, request: HttpRequest, reply: HttpReply, seconds: float) -> None:
        # A GET of MCP lasts as long as its client listens; among the others it would spoil every latency figure.
        label = "stream" if request.method == "GET" and route != API_ROUTE else route
        self._gateway.request_finished(label, reply.status, seconds)
        if not _log.is_enabled("debug"):
            return
        who = request.outcome.principal
        # Neither path nor query: tokens and ids of sessions do not belong in logs (T34).
        _log.debug(
            "request",
            method=request.method,
            route=route,
            status=reply.status,
            workspace=who.workspace_id if who else None,
            account=who.account_id if who else None,
            request_id=request.request_id,
            **{"in": Millis(seconds * 1000)},
        )


class McpAdmission:
    """The ASGI side of the MCP paths."""

    def __init__(
        self, gateway: Gateway, legacy: LegacyEndpoint, modern: ModernEndpoint, options: AdmissionOptions
    ) -> None:
        self._steps = Admission(gateway, options, jsonrpc_error)
        self._legacy = legacy
        self._modern = modern

    async def serve(self, route: McpRoute, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        async def handle(request: HttpRequest, inbox: HttpReceiver, reply: HttpReply) -> None:
            await self._admit(route, request, inbox, reply)

        request = HttpRequest.of(scope)
        await self._steps.serve(route.name, request, HttpReply(send), HttpReceiver(receive), handle)

    async def _admit(
        self, route: McpRoute, request: HttpRequest, receive: HttpReceiver, reply: HttpReply
    ) -> None:
        self._allow_origin(request, reply)
        if request.method == "OPTIONS":
            await _preflight(reply)
            return
        if request.method not in METHODS:
            raise RequestRefusal(
                "method_not_allowed", "Method not allowed.", headers={"allow": ", ".join(METHODS)}
            )
        principal = await self._steps.caller(request, route)
        if request.method == "POST":
            await self._post(request, principal, receive, reply)
        elif sdk.is_modern(request.headers):
            message = "This protocol version has no GET or DELETE; use POST."
            raise RequestRefusal("method_not_allowed", message, headers={"allow": "POST, OPTIONS"})
        elif request.method == "GET":
            await self._legacy.get(request, principal, receive, reply)
        else:
            await self._legacy.delete(request, principal, reply)

    def _allow_origin(self, request: HttpRequest, reply: HttpReply) -> None:
        origin = self._steps.check_origin(request)
        if origin is not None:
            reply.always("access-control-allow-origin", origin)
            reply.always("access-control-expose-headers", CORS_EXPOSED_HEADERS)
            reply.always("vary", "Origin")

    async def _post(
        self, request: HttpRequest, principal: Principal, receive: HttpReceiver, reply: HttpReply
    ) -> None:
        check_json(request)
        call = await self._message(request, principal, receive)
        try:
            if call.counts:
                await self._steps.limit(principal, request)
            if sdk.is_modern(request.headers, call):
                await self._modern.serve(request, principal, call, receive, reply)
            else:
                await self._legacy.post(request, principal, call, receive, reply)
        except RateLimited as error:
            if not error.as_result or call.method != "tools/call" or call.id is None:
                raise _with_id(rate_limited(error), call.id) from None
            outcome = JsonRpcOutcome(text_error(error.sentence("Rate limit")))
            request.outcome.status, request.outcome.reason = 429, error.sentence("Rate limit")
            await reply.json(200, outcome.encode(call.id))

    async def _message(
        self, request: HttpRequest, principal: Principal, receive: HttpReceiver
    ) -> JsonRpcMessage:
        """The posted message. What is none, or too large, counts against the limits like a call."""
        try:
            return parse(await self._steps.body(request, receive))
        except RequestRefusal as refusal:
            known = (
                id_at(*await read_away(receive, refusal.read)) if isinstance(refusal, BodyTooLarge) else None
            )
            try:
                await self._steps.count(principal, request)
            except RequestRefusal as limited:
                raise _with_id(limited, known) from None
            raise _with_id(refusal, known) from None


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """Who was let in to the API, with which body; put into the scope for the views."""

    principal: Principal
    body: JsonObject


class ApiAdmission:
    """The ASGI side of the API paths. `app` routes and answers. Host and Origin were checked before.

    Callers without a credential are refused, also where MCP admits them: anonymous callers share one account, and would
    see each other's executions.
    """

    def __init__(
        self, gateway: Gateway, hosts: OriginRules, app: AsgiApp, turns: Turns | None = None
    ) -> None:
        self._steps = Admission(gateway, AdmissionOptions(hosts, turns=turns or Turns()), rest_error)
        self._app = app

    async def serve(
        self, request: HttpRequest, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        async def handle(request: HttpRequest, inbox: HttpReceiver, reply: HttpReply) -> None:
            admitted = await self._admit(request, inbox)
            await self._app({**scope, SCOPE_KEY: admitted}, _without_body(inbox), _passed_on(reply, send))

        await self._steps.serve(API_ROUTE, request, HttpReply(send), HttpReceiver(receive), handle)

    async def _admit(self, request: HttpRequest, inbox: HttpReceiver) -> AdmittedRequest:
        principal = await self._steps.caller(request, _api_route(request.path))
        if principal.account_id == "anonymous":
            message = "This API needs a credential: `Authorization: Bearer <key>` or `x-api-key: <key>`."
            raise not_let_in(AuthError(401, -32001, message), request)
        await self._steps.count(principal, request)
        if request.method in ("GET", "HEAD"):
            return AdmittedRequest(principal, {})
        raw = await self._steps.body(request, inbox)
        if raw:
            check_json(request)
        return AdmittedRequest(principal, read_object(raw))


async def check_operator(gateway: Callers, request: HttpRequest, ip: str, *, open_here: bool) -> None:
    """Raises `RequestRefusal` for whoever is no operator. `ip` is the caller's, as trusted proxies say it. Where the
    listener is `open_here`, everybody who reaches it directly is one: no header says that the request was passed on,
    and it is not HTTP/1.0, which nginx speaks to what is behind it unless it is told otherwise."""
    if open_here and not _is_passed_on(request):
        return
    if not gateway.is_admin(await authenticate(gateway, request, ip)):
        raise RequestRefusal("forbidden", "This needs a caller with the admin role.")


def _is_passed_on(request: HttpRequest) -> bool:
    return request.is_http_1_0 or any(name.startswith(_FORWARDED) for name in request.headers)


async def authenticate(
    gateway: Callers, request: HttpRequest, ip: str, route: McpRoute | None = None
) -> Principal:
    """The caller. Raises `RequestRefusal`."""
    asked = AuthRequest.of(request.headers, request.query)
    if route is not None:
        asked = replace(
            asked,
            path_workspace=route.workspace,
            anonymous_path=route.anonymous,
            resource_path=route.resource_path,
        )
    try:
        principal = await gateway.authenticate(asked, ip)
    except AuthError as error:
        raise not_let_in(error, request) from None
    except RateLimited as error:
        raise rate_limited(error) from None
    request.outcome.principal = principal
    return principal


def _refuse_too_many(reason: str | None) -> None:
    if reason is not None:
        message = f"{reason}. Try again in {_BUSY_SECONDS} s."
        raise RequestRefusal("rate_limited", message, headers={"retry-after": str(_BUSY_SECONDS)})


def check_json(request: HttpRequest) -> None:
    """Raises `RequestRefusal` (415) for a body of another type."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefusal("unsupported_media_type", "Content-Type must be application/json.")


def not_let_in(error: AuthError, request: HttpRequest) -> RequestRefusal:
    """With the challenge that RFC 6750 section 3 asks for."""
    challenge = error.www_authenticate or (_challenge(request) if error.status == 401 else None)
    headers = {"www-authenticate": challenge} if challenge else {}
    if error.retry_seconds is not None:
        headers["retry-after"] = str(error.retry_seconds)
    return RequestRefusal(
        _AUTH_KINDS.get(error.status, "unavailable"),
        error.message,
        headers=headers,
        fault=Fault(error.status, error.code),
    )


def _challenge(request: HttpRequest) -> str:
    """`error` only when a credential was given: without one the client has made no mistake (RFC 6750 section 3.1)."""
    given = "authorization" in request.headers or "x-api-key" in request.headers
    return 'Bearer realm="executor", error="invalid_token"' if given else 'Bearer realm="executor"'


async def _preflight(reply: HttpReply) -> None:
    headers = {
        "allow": ", ".join(METHODS),
        "access-control-allow-methods": ", ".join(METHODS),
        "access-control-allow-headers": CORS_REQUEST_HEADERS,
        "access-control-max-age": "600",
    }
    await reply.json(204, b"", headers)


def _with_id(refusal: RequestRefusal, request_id: RequestId | None) -> RequestRefusal:
    refusal.request_id = request_id
    return refusal


def _without_body(inbox: HttpReceiver) -> AsgiReceive:
    """The body was read: an empty one first, then whatever comes, which is the client leaving."""
    first: list[AsgiMessage] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> AsgiMessage:
        return first.pop() if first else await inbox()

    return receive


def _passed_on(reply: HttpReply, send: AsgiSend) -> AsgiSend:
    """What Quart answers, with the common headers; `reply` learns its status."""

    async def pass_on(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            message["headers"] = [*message["headers"], *reply.common]
        await send(message)

    return pass_on
