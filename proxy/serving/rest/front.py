"""What every API request passes before Quart routes it, in this order: caller, rate limit, body. Host and Origin were
checked before. And what every answer passes on its way out: request id, log line, metric.

Callers without a credential are refused, also where MCP admits them: anonymous callers share one account, and would see
each other's executions.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import anyio
import orjson

from integrations.base import JsonObject
from proxy.principal import Principal
from proxy.serving.errors import AuthError, RateLimited, Refusal
from proxy.serving.gateway import Gateway
from proxy.serving.http import AsgiApp, Inbox, Message, Receive, Reply, Request, Scope, Send, read_body
from proxy.serving.origins import FrontRules
from proxy.serving.rest.request import ApiProblem, read_object

log = logging.getLogger(__name__)
access = logging.getLogger("proxy.serving.access")

SCOPE_KEY: Final = "executor.admitted"
BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 30.0
_SWALLOW_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in, with which body; put into the scope for the views."""

    principal: Principal
    body: JsonObject


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, known or not."""
    return path == "/api" or path.startswith("/api/")


def problem_body(problem: ApiProblem) -> bytes:
    """The one shape of errors."""
    return orjson.dumps({"error": {"code": problem.code, "message": problem.message}})


class ApiFront:
    """The ASGI side of the API paths. `app` routes and answers."""

    def __init__(self, gateway: Gateway, hosts: FrontRules, app: AsgiApp) -> None:
        self._gateway = gateway
        self._hosts = hosts
        self._app = app

    async def serve(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        reply, inbox = Reply(send), Inbox(receive)
        reply.always("x-request-id", request.request_id)
        try:
            admitted = await self._admit(request, inbox)
            await self._app({**scope, SCOPE_KEY: admitted}, _emptied(inbox), _passing(reply, send))
        except Refusal as refusal:
            await _refuse(reply, inbox, ApiProblem.of(refusal))
        except ApiProblem as problem:
            await _refuse(reply, inbox, problem)
        except Exception as error:  # the outermost boundary: without it Hypercorn sends an empty 500
            reference = secrets.token_hex(4)
            log.error("internal error [%s]", reference, exc_info=error)
            await _refuse(reply, inbox, ApiProblem(500, "internal", f"Internal error [{reference}]"))
        finally:
            self._account(request, reply, time.perf_counter() - started)

    async def _admit(self, request: Request, inbox: Inbox) -> Admitted:
        principal = self._authenticate(request)
        try:
            await self._gateway.check_request_limit(principal, self._hosts.client_ip(request))
        except RateLimited as error:
            raise rate_limited(error) from None
        return Admitted(principal, await _body(request, inbox))

    def _authenticate(self, request: Request) -> Principal:
        ip = self._hosts.client_ip(request)
        try:
            principal = self._gateway.authenticate(request.headers, request.query, None, ip, False)
        except AuthError as error:
            raise _unauthenticated(error, request) from None
        if principal.kind == "anonymous":
            message = "This API needs a credential: `Authorization: Bearer <key>` or `x-api-key: <key>`."
            raise _unauthenticated(AuthError(401, -32001, message), request)
        return principal

    def _account(self, request: Request, reply: Reply, seconds: float) -> None:
        self._gateway.request_finished("api", reply.status, seconds)
        # Without the path: it may hold the id of a session (T34).
        access.info(
            "request method=%s route=api status=%d ms=%.1f id=%s",
            request.method,
            reply.status,
            seconds * 1000,
            request.request_id,
        )


def rate_limited(error: RateLimited) -> ApiProblem:
    """With the seconds to wait."""
    seconds = max(1, math.ceil(error.retry_after_seconds))
    message = f"Rate limit `{error.limit}` is used up. Try again in {seconds} s."
    return ApiProblem(429, "rate_limited", message, {"retry-after": str(seconds)})


def _unauthenticated(error: AuthError, request: Request) -> ApiProblem:
    headers = dict(error.headers)
    if error.status == 401 and "www-authenticate" not in headers:
        given = "authorization" in request.headers or "x-api-key" in request.headers
        error_part = ', error="invalid_token"' if given else ""
        headers["www-authenticate"] = f'Bearer realm="executor"{error_part}'
    codes = {400: "bad_request", 401: "unauthorized", 403: "forbidden"}
    return ApiProblem(error.status, codes.get(error.status, "unavailable"), error.message, headers)


async def _body(request: Request, inbox: Inbox) -> JsonObject:
    if request.method in ("GET", "HEAD"):
        return {}
    raw: bytes | None = None
    with anyio.move_on_after(BODY_SECONDS):
        raw = await read_body(request, inbox, BODY_BYTES)
    if raw is None:
        raise Refusal("bad_request", f"The request body did not arrive within {BODY_SECONDS:g} s.")
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if raw and media_type != "application/json":
        raise Refusal("unsupported_media_type", "Content-Type must be application/json.")
    return read_object(raw)


def _emptied(inbox: Inbox) -> Receive:
    """The body was read: an empty one first, then whatever comes, which is the client leaving."""
    first: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return first.pop() if first else await inbox()

    return receive


def _passing(reply: Reply, send: Send) -> Send:
    """What Quart answers, with the common headers; `reply` learns how it went."""

    async def passing(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            message["headers"] = [*message["headers"], *reply.common]
        await send(message)

    return passing


async def _refuse(reply: Reply, inbox: Inbox, problem: ApiProblem) -> None:
    """Answer with the error, unless an answer has begun. The rest of the body is read away for a while, because
    Hypercorn resets the connection when an answer ends before its request."""
    if not reply.started:
        headers: dict[str, Any] = problem.headers
        await reply.json(problem.status, problem_body(problem), headers, more=not inbox.complete)
        with anyio.move_on_after(_SWALLOW_SECONDS):
            while not inbox.complete:
                await inbox()
    await reply.body(b"")
