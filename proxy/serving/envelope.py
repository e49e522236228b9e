"""What every MCP request passes before a leg sees it, in this order: host and origin, preflight, method,
caller, rate limit, content type, body. And what every answer passes on its way out: CORS, request id, log
line, metric.

Nothing that goes wrong here is answered with anything but a JSON-RPC error from the table in `errors`.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from dataclasses import dataclass, field
from typing import Final

import anyio

from proxy.principal import Principal
from proxy.serving import sdk
from proxy.serving.errors import AuthError, Fault, RateLimited, Refusal, error_body
from proxy.serving.gateway import Gateway
from proxy.serving.http import Inbox, Receive, Reply, Request, Scope, Send, read_body
from proxy.serving.legacy import LegacyLeg
from proxy.serving.messages import parse
from proxy.serving.modern import ModernLeg
from proxy.serving.origins import FrontRules, HostRules
from proxy.serving.routes import McpRoute
from proxy.telemetry.spans import AttributeValue, NoSpans, Spans

log = logging.getLogger(__name__)
access = logging.getLogger("proxy.serving.access")

METHODS: Final = ("GET", "POST", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS: Final = (
    "content-type, authorization, x-api-key, accept, mcp-session-id, mcp-protocol-version, mcp-method, "
    "mcp-name, last-event-id"
)
SWALLOW_SECONDS: Final = 5.0
CORS_EXPOSED_HEADERS: Final = "mcp-session-id, www-authenticate, retry-after"


@dataclass(frozen=True, slots=True)
class EnvelopeOptions:
    """`hosts` decides about Host and Origin; bodies over `max_body_bytes` are refused unread, and those that
    take longer than `body_seconds` as well. Each request is a span of `spans`."""

    hosts: FrontRules = field(default_factory=lambda: HostRules(loopback=True))
    max_body_bytes: int = 1024 * 1024
    body_seconds: float = 30.0
    spans: Spans = field(default_factory=NoSpans)


class Envelope:
    """The ASGI side of the MCP paths."""

    def __init__(
        self, gateway: Gateway, legacy: LegacyLeg, modern: ModernLeg, options: EnvelopeOptions
    ) -> None:
        self._gateway = gateway
        self._legacy = legacy
        self._modern = modern
        self._options = options

    async def serve(self, route: McpRoute, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request, reply, inbox = Request.of(scope), Reply(send), Inbox(receive)
        reply.always("x-request-id", request.request_id)
        attributes: dict[str, AttributeValue] = {
            "http.request.method": request.method,
            "http.route": route.name,
        }
        with self._options.spans.span(
            "request", "server", attributes=attributes, caller=request.headers
        ) as span:
            try:
                await self._admit(route, request, inbox, reply)
            except Refusal as refusal:
                await _refuse(reply, inbox, refusal)
            except Exception as error:  # the outermost boundary: without it Hypercorn sends an empty 500
                await _refuse(reply, inbox, _defect(error))
            finally:
                self._account(route, request, reply, time.perf_counter() - started)
                span.note("http.response.status_code", reply.status)

    async def _admit(self, route: McpRoute, request: Request, receive: Receive, reply: Reply) -> None:
        self._check_origin(request, reply)
        if request.method == "OPTIONS":
            await _preflight(reply)
            return
        if request.method not in METHODS:
            raise Refusal("method_not_allowed", "Method not allowed.", headers={"allow": ", ".join(METHODS)})
        principal = self._authenticate(route, request)
        await self._count(principal, request)
        if request.method == "POST":
            await self._post(request, principal, receive, reply)
        elif sdk.is_modern(request.headers):
            message = "This protocol version has no GET or DELETE; use POST."
            raise Refusal("method_not_allowed", message, headers={"allow": "POST, OPTIONS"})
        elif request.method == "GET":
            await self._legacy.get(request, principal, receive, reply)
        else:
            await self._legacy.delete(request, principal, reply)

    def _check_origin(self, request: Request, reply: Reply) -> None:
        request.refuse_repeated()
        origin = self._options.hosts.check(request)
        if origin is not None:
            reply.always("access-control-allow-origin", origin)
            reply.always("access-control-expose-headers", CORS_EXPOSED_HEADERS)
            reply.always("vary", "Origin")

    def _authenticate(self, route: McpRoute, request: Request) -> Principal:
        try:
            return self._gateway.authenticate(
                request.headers,
                request.query,
                route.workspace,
                self._options.hosts.client_ip(request),
                route.anonymous,
            )
        except AuthError as error:
            raise _Unauthenticated(error, request) from None

    async def _count(self, principal: Principal, request: Request) -> None:
        try:
            await self._gateway.check_request_limit(principal, self._options.hosts.client_ip(request))
        except RateLimited as error:
            seconds = max(1, math.ceil(error.retry_after_seconds))
            raise Refusal(
                "rate_limited",
                f"Rate limit `{error.limit}` is used up. Try again in {seconds} s.",
                headers={"retry-after": str(seconds)},
                data={"limit": error.limit, "retryAfterMs": round(error.retry_after_seconds * 1000)},
            ) from None

    async def _post(self, request: Request, principal: Principal, receive: Receive, reply: Reply) -> None:
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refusal("unsupported_media_type", "Content-Type must be application/json.")
        call = parse(await self._body(request, receive))
        if sdk.is_modern(request.headers, call):
            await self._modern.serve(request, principal, call, receive, reply)
        else:
            await self._legacy.post(request, principal, call, receive, reply)

    async def _body(self, request: Request, receive: Receive) -> bytes:
        with anyio.move_on_after(self._options.body_seconds):
            return await read_body(request, receive, self._options.max_body_bytes)
        seconds = self._options.body_seconds
        raise Refusal("bad_request", f"The request body did not arrive within {seconds:g} s.")

    def _account(self, route: McpRoute, request: Request, reply: Reply, seconds: float) -> None:
        # A GET lasts as long as its client listens; among the others it would spoil every latency figure.
        name = "stream" if request.method == "GET" else route.name
        self._gateway.request_finished(name, reply.status, seconds)
        # The path without its query, and never a session id: neither tokens nor session ids belong in logs
        # (T34).
        access.info(
            "request method=%s route=%s status=%d ms=%.1f id=%s",
            request.method,
            route.name,
            reply.status,
            seconds * 1000,
            request.request_id,
        )


class _Unauthenticated(Refusal):
    """An `AuthError` on its way out, with the challenge RFC 6750 section 3 asks for."""

    def __init__(self, error: AuthError, request: Request) -> None:
        headers = dict(error.headers)
        if error.status == 401 and "www-authenticate" not in headers:
            headers["www-authenticate"] = _challenge(request)
        super().__init__("unauthorized", error.message, headers=headers)
        self._error = error

    @property
    def fault(self) -> Fault:
        return Fault(self._error.status, self._error.code)


def _challenge(request: Request) -> str:
    """`error` only when a credential was given: without one the client has made no mistake (RFC 6750 section
    3.1)."""
    given = "authorization" in request.headers or "x-api-key" in request.headers
    return 'Bearer realm="executor", error="invalid_token"' if given else 'Bearer realm="executor"'


async def _preflight(reply: Reply) -> None:
    headers = {
        "allow": ", ".join(METHODS),
        "access-control-allow-methods": ", ".join(METHODS),
        "access-control-allow-headers": CORS_REQUEST_HEADERS,
        "access-control-max-age": "600",
    }
    await reply.json(204, b"", headers)


def _defect(error: Exception) -> Refusal:
    """The cause goes to the log only, under the digits that the caller gets."""
    reference = secrets.token_hex(4)
    log.error("internal error [%s]", reference, exc_info=error)
    return Refusal("internal", f"Internal error [{reference}]")


async def _refuse(reply: Reply, inbox: Inbox, refusal: Refusal) -> None:
    """Answer with the error, unless an answer has begun: then the stream can only end."""
    if not reply.started:
        body = error_body(refusal.fault.code, refusal.message, refusal.data)
        await reply.json(refusal.fault.status, body, refusal.headers, more=not inbox.complete)
        await _swallow_rest(inbox)
    await reply.body(b"")


async def _swallow_rest(inbox: Inbox) -> None:
    """Read away what a refused client still sends, for a while. Hypercorn resets the connection when an
    answer ends before its request, and a client that sends its whole body before it reads would never see the
    error."""
    with anyio.move_on_after(SWALLOW_SECONDS):
        while not inbox.complete:
            await inbox()
