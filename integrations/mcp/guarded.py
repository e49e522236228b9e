"""The HTTP transport that is handed to the MCP SDK: every connection passes the egress guard, and trouble with one
request reaches that request's caller.

The SDK (mcp 2.3) ends the whole session when one POST cannot connect, and forgets the HTTP status of a refusal. So
what fails here is answered as a JSON-RPC error of our own (`trouble.TROUBLE_CODE`), which the SDK delivers to the one
caller. Redirects: the SDK follows those within the origin, and each comes through here again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import httpcore2
import httpx2
import orjson

from integrations.http import EgressDenied, EgressRules
from integrations.http.backend import Resolve, system_resolve
from integrations.http.egress import Target, check_scheme, parse_target
from integrations.http.transport import (
    DIRECT,
    Transport,
    check_proxied,
    open_pool,
    plain_context,
    tls_context,
)
from integrations.mcp.renewal import Renewal
from integrations.mcp.trouble import Kind, Trouble

_SESSION_HEADER = "mcp-session-id"
_NOTIFICATION = b'{"jsonrpc":"2.0","method":"notifications/'
_CONNECT_SECONDS = 10.0
# A stream of events may be silent for long; this bounds how long a dead one is kept.
_SILENCE_SECONDS = 600.0
# Nobody waits for the answer to these, and the SDK sends nothing else until they are answered.
_ASIDE_SECONDS = 2.0
_SHORT_STREAMS = 5
_SHORT_SECONDS = 5.0
_ERROR_BYTES = 64 * 1024
_CHALLENGE_BYTES = 4096
_JSON = {"content-type": "application/json"}
_MOST_CONNECTIONS = 100
_NOT_CONNECTED = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)
_TIMEOUTS = {"connect": _CONNECT_SECONDS, "read": _SILENCE_SECONDS, "write": 60.0, "pool": _CONNECT_SECONDS}


class GuardedTransport(httpx2.AsyncBaseTransport):
    """One upstream's connections, over `transport` (raises `Unreachable` when that cannot be used).

    `failed` is told trouble that ends the connection as a whole (SSE only).
    `refusal` is the last HTTP refusal seen: what made an attempt to connect fail.
    """

    def __init__(
        self,
        rules: EgressRules,
        max_bytes: int,
        failed: Callable[[Trouble], None],
        *,
        events: bool = False,
        aside_seconds: float = _ASIDE_SECONDS,
        resolve: Resolve = system_resolve,
        transport: Transport = DIRECT,
        renewal: Renewal | None = None,
        secure: bool = True,
    ) -> None:
        self._rules = rules
        self._max_bytes = max_bytes
        self._failed = failed
        self._events = events
        self._aside_seconds = aside_seconds
        self.refusal: Trouble | None = None
        self._renewal = renewal
        self._short_streams = 0
        self._proxied = transport.proxy is not None
        context = plain_context() if transport == DIRECT and not secure else tls_context(transport)
        self._pool = open_pool(rules, resolve, transport, context, _MOST_CONNECTIONS)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        aside = request.method == "DELETE" or body.startswith(_NOTIFICATION)
        try:
            async with asyncio.timeout(self._aside_seconds if aside else None):
                return await self._answered(request, body)
        except Trouble as trouble:
            return self._reported(request, body, trouble)
        except TimeoutError:
            return httpx2.Response(204 if request.method == "DELETE" else 202)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _answered(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        notices = request.method == "GET" and not self._events
        if notices and self._short_streams >= _SHORT_STREAMS:
            return httpx2.Response(405)
        response = await self._authorized(request, body)
        try:
            if response.status >= 400:
                raise await self._refused(request, response)
            if _header(response, b"content-encoding").lower() not in (b"", b"identity"):
                raise Trouble(
                    "protocol", "the server's answer is compressed, which was not asked for", sent=True
                )
            if _content_type(response) != b"text/event-stream":
                return await self._whole(response)
        except BaseException:
            await response.aclose()
            raise
        stream = _Stream(response, self._stream_ended if notices else None)
        return httpx2.Response(response.status, headers=response.headers, stream=stream)

    def _stream_ended(self, lived_seconds: float) -> None:
        """A server that ends the stream of notifications at once, each time, does not mean to have one; the SDK would
        open it again every second for ever.
        """
        self._short_streams = self._short_streams + 1 if lived_seconds < _SHORT_SECONDS else 0

    async def _authorized(self, request: httpx2.Request, body: bytes) -> httpcore2.Response:
        """Send; after a 401 once more, if the credential was replaced meanwhile."""
        if self._renewal is None:
            return await self._sent(request, body)
        self._renewal.apply(request)
        response = await self._sent(request, body)
        if response.status != 401 or not self._renewal.differs():
            return response
        await response.aclose()
        self._renewal.apply(request)
        return await self._sent(request, body)

    async def _sent(self, request: httpx2.Request, body: bytes) -> httpcore2.Response:
        target = self._target(request)
        try:
            address = httpcore2.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.target,
            )
            # Nothing compressed is asked for, so nothing can grow while it is unpacked (T28).
            headers = [(k, v) for k, v in request.headers.raw if k.lower() != b"accept-encoding"]
            headers.append((b"Accept-Encoding", b"identity"))
            outgoing = httpcore2.Request(
                request.method.encode(),
                address,
                headers=headers,
                content=body,
                extensions={"timeout": _TIMEOUTS},
            )
            return await self._pool.handle_async_request(outgoing)
        except EgressDenied as error:
            # The address was refused when it was dialled.
            raise Trouble("denied", str(error)) from None
        except _NOT_CONNECTED as error:
            raise Trouble("unreachable", f"cannot connect to {target.origin}: {_reason(error)}") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise Trouble("closed", f"{target.origin} broke off: {_reason(error)}", sent=True) from None

    def _target(self, request: httpx2.Request) -> Target:
        try:
            target = parse_target(str(request.url))
            check_scheme(target, self._rules)
            if self._proxied:
                check_proxied(target, self._rules)
        except EgressDenied as error:
            raise Trouble("denied", str(error)) from None
        return target

    async def _whole(self, response: httpcore2.Response) -> httpx2.Response:
        """A body that is no stream of events, read at once so that its size has a limit."""
        content = await _read(response, self._max_bytes)
        await response.aclose()
        headers = [
            (k, v) for k, v in response.headers if k.lower() not in (b"content-length", b"transfer-encoding")
        ]
        return httpx2.Response(response.status, headers=headers, content=content)

    async def _refused(self, request: httpx2.Request, response: httpcore2.Response) -> Exception:
        """The refusal as trouble, or as `_Passed` when the server says in JSON-RPC what it is."""
        status = response.status
        content = b""
        if _content_type(response) == b"application/json":
            content = await _read(response, _ERROR_BYTES)
        error = _json_rpc_error(content)
        message = str(error.get("message", "")) if error else ""
        in_session = _SESSION_HEADER in request.headers
        if status in (401, 403):
            kind: Kind = "unauthorized" if status == 401 else "forbidden"
            words = f"the server answered {status}: the credential is missing or refused"
            return Trouble(kind, words, status=status, challenge=_challenge(response))
        if in_session and (status == 404 or (status == 400 and "session" in message.lower())):
            return Trouble("session", "the server no longer knows the session", status=status)
        if error is not None:
            return _Passed(status, content)
        # A gateway that could not reach the server, or a server that is too busy, has not run the call (RFC 9110).
        return Trouble(
            "http", f"the server answered {status}", sent=status not in (404, 405, 429, 503), status=status
        )

    def _reported(self, request: httpx2.Request, body: bytes, trouble: Trouble) -> httpx2.Response:
        # A GET beside POSTs is the optional stream of notifications, which a server may well refuse.
        if not isinstance(trouble, _Passed) and (self._events or request.method == "POST"):
            self.refusal = trouble
        if request.method == "DELETE":
            return httpx2.Response(204)
        if body.startswith(_NOTIFICATION):
            return httpx2.Response(202)
        status = trouble.status or 502
        if self._events and request.method == "POST":
            # Over SSE the answer to a POST carries nothing: the message is lost, and with it the connection.
            self._failed(trouble)
            return httpx2.Response(202)
        content = trouble.content if isinstance(trouble, _Passed) else _error_body(trouble)
        return httpx2.Response(status, headers=_JSON, content=content)


class _Passed(Trouble):
    """A refusal whose JSON-RPC body goes to the caller as it is."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__("http", f"the server answered {status}", sent=True, status=status)
        self.content = content


class _Stream(httpx2.AsyncByteStream):
    """Events as they arrive; the SDK bounds each one. A broken stream just ends, which the SDK reports."""

    def __init__(self, response: httpcore2.Response, ended: Callable[[float], None] | None) -> None:
        self._response = response
        self._ended = ended
        self._since = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_stream():
                yield chunk
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
            return

    async def aclose(self) -> None:
        if self._ended is not None:
            self._ended(time.monotonic() - self._since)
            self._ended = None
        await self._response.aclose()


async def _read(response: httpcore2.Response, limit: int) -> bytes:
    content = bytearray()
    try:
        async for chunk in response.aiter_stream():
            content += chunk
            if len(content) > limit:
                raise Trouble("too_large", f"the answer is larger than {limit} bytes", sent=True)
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
        raise Trouble("closed", f"the server broke off in its answer: {_reason(error)}", sent=True) from None
    return bytes(content)


def _content_type(response: httpcore2.Response) -> bytes:
    return _header(response, b"content-type").split(b";")[0].strip().lower()


def _challenge(response: httpcore2.Response) -> str:
    """All challenges as one text (RFC 9110 section 11.6.1), bounded."""
    values = [value for name, value in response.headers if name.lower() == b"www-authenticate"]
    return b", ".join(values)[:_CHALLENGE_BYTES].decode("latin-1")


def _header(response: httpcore2.Response, name: bytes) -> bytes:
    return bytes(next((value for key, value in response.headers if key.lower() == name), b""))


def _json_rpc_error(content: bytes) -> dict[str, object] | None:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) and isinstance(error.get("code"), int) else None


def _error_body(trouble: Trouble) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": trouble.as_error()})


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
