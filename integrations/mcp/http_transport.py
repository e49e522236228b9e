"""The HTTP connections of the MCP SDK: each one passes the egress guard, and a failed request reaches its own caller.

The SDK (mcp 2.3) ends the whole session when one POST cannot connect, and forgets the HTTP status of a refusal. So a
request that fails here is answered with a JSON-RPC error of our own (`errors.CONNECTION_ERROR_CODE`), which the SDK
delivers to the caller of that request. Redirects are followed here, so that they are paid for once a session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import quote, urljoin

import httpcore2
import httpx2

from integrations.base import SourceError
from integrations.http import EgressDenied, EgressRules, HttpError, TooLarge, Unreachable, origin_of
from integrations.http.backend import ResolveHost, system_resolve
from integrations.http.decoding import Decoder, decoder_for
from integrations.http.egress import HttpTarget, check_scheme, parse_target
from integrations.http.leftovers import guarded
from integrations.http.redirects import REDIRECTS
from integrations.http.retry_after import milliseconds_to_wait
from integrations.http.transport import (
    DIRECT,
    TransportOptions,
    check_proxied,
    open_pool,
    plain_context,
    tls_context,
)
from integrations.json_text import write_json
from integrations.mcp.answers import (
    checked_message,
    error_in,
    is_plain_result,
    lost_session,
    reason_in,
    request_in,
    session_is_unknown,
)
from integrations.mcp.errors import McpError, McpErrorKind, OnError
from integrations.mcp.messages import EventRepair, for_sdk, for_server
from integrations.mcp.refused import refused
from integrations.mcp.servers import ResolveValues, TokenHeaders

_SESSION_HEADER = "mcp-session-id"
_NOTIFICATION = b'{"jsonrpc":"2.0","method":"notifications/'
_CONNECT_SECONDS = 10.0
# A stream of events may be silent for long; after this time it is taken for dead.
_SILENCE_SECONDS = 600.0
# For notifications and DELETE: no caller waits for their answer, but the SDK sends nothing else until it has come.
_ONE_WAY_SECONDS = 2.0
_MAX_SHORT_STREAMS = 5
_SHORT_STREAM_SECONDS = 5.0
_ERROR_BYTES = 64 * 1024
_MAX_REDIRECTS = 5
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"
_OF_THE_ENCODING = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
_CHALLENGE_BYTES = 4096
_JSON = {"content-type": "application/json"}
_MAX_CONNECTIONS = 100
_NOT_CONNECTED = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)
_TIMEOUTS = {"connect": _CONNECT_SECONDS, "read": _SILENCE_SECONDS, "write": 60.0, "pool": _CONNECT_SECONDS}


class HeaderRenewal:
    """The configured headers of one session, as they were when it was opened and as they are now.

    A credential may be replaced while a session is open. A request that was refused with 401 has not run anything, so
    it is sent again with the new headers, and the session goes on. `tokens` are asked before each request.
    """

    def __init__(
        self, initial: Mapping[str, str], resolve: ResolveValues, tokens: TokenHeaders | None = None
    ) -> None:
        self._initial = dict(initial)
        self._present = dict(initial)
        self._resolve = resolve
        self._tokens = tokens
        # The headers that tokens have given: nobody else sets them.
        self._signed_in: set[str] = set()

    def apply(self, request: httpx2.Request) -> None:
        """Set the present values. Headers that the SDK has set itself (`Accept`, the session) are left alone."""
        for name, value in self._present.items():
            known = self._initial.get(name, value)
            if name in self._signed_in or request.headers.get(name, value) == known:
                request.headers[name] = value

    async def update(self) -> None:
        """Take the token of this moment: it may have been renewed, or somebody may have signed in."""
        if self._tokens is None:
            return
        try:
            self._take(await self._tokens.present())
        except SourceError as error:
            raise McpError("unauthorized", str(error), status=401) from None

    async def renewed(self, status: int, challenge: str) -> bool:
        """After a refusal: whether there are other headers, so that another try makes sense."""
        changed = status == 401 and self.refresh()
        if self._tokens is None:
            return changed
        fresh = await self._tokens.refused(status, challenge, self._present)
        self._take(fresh or {})
        return changed or fresh is not None

    def _take(self, fresh: Mapping[str, str]) -> None:
        self._present |= fresh
        self._signed_in |= fresh.keys()

    def refresh(self) -> bool:
        """Resolve again, after a 401. Whether that changed anything, so that another try makes sense."""
        try:
            fresh = {**self._present, **self._resolve()}
        except SourceError:
            return False
        changed, self._present = fresh != self._present, fresh
        return changed


class GuardedTransport(httpx2.AsyncBaseTransport):
    """The connections of one upstream, over `transport`. Raises `Unreachable` when that cannot be used.

    `on_error` is called with an error that ends the session as a whole (SSE only).
    `refusal` is the last request that was refused, which explains why an attempt to connect failed.
    """

    def __init__(
        self,
        rules: EgressRules,
        max_bytes: int,
        on_error: OnError,
        *,
        events: bool = False,
        one_way_seconds: float = _ONE_WAY_SECONDS,
        resolve: ResolveHost = system_resolve,
        transport: TransportOptions = DIRECT,
        renewal: HeaderRenewal | None = None,
        secure: bool = True,
    ) -> None:
        self._rules = rules
        self._max_bytes = max_bytes
        self._on_error = on_error
        self._events = events
        self._one_way_seconds = one_way_seconds
        self.refusal: McpError | None = None
        self._renewal = renewal
        self._short_streams = 0
        self._moved: dict[str, str] = {}
        self._proxied = transport.proxy is not None
        context = plain_context() if transport == DIRECT and not secure else tls_context(transport)
        self._pool = open_pool(rules, resolve, transport, context, _MAX_CONNECTIONS)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = _as_sent(request, await request.aread())
        one_way = request.method == "DELETE" or body.startswith(_NOTIFICATION)
        try:
            async with asyncio.timeout(self._one_way_seconds if one_way else None):
                return await self._respond(request, body)
        except McpError as error:
            return self._error_response(request, body, error)
        except TimeoutError:
            return httpx2.Response(204 if request.method == "DELETE" else 202)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _respond(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        notifications = request.method == "GET" and not self._events
        if notifications and self._short_streams >= _MAX_SHORT_STREAMS:
            return httpx2.Response(405)
        response = await self._send_following(request, body)
        try:
            if response.status >= 400:
                raise await self._refusal(request, body, response)
            if _content_type(response) != b"text/event-stream":
                return await self._read_bounded(request, body, response)
            decoder = _decoder(response)
        except BaseException:
            await response.aclose()
            raise
        ended = self._stream_ended if notifications else None
        # Over SSE an answer without an id reaches no caller, so that the session has to end.
        repair = EventRepair(self._max_bytes, self._on_error if self._events else None)
        stream = _EventStream(response, decoder, self._max_bytes, ended, repair)
        # Events are an answer; the SDK reads none with the status 202.
        return httpx2.Response(200, headers=_decoded_headers(response), stream=stream)

    async def _send_following(self, request: httpx2.Request, body: bytes) -> httpcore2.Response:
        """Send; 307 and 308 are followed within the origin, and remembered. Anything else that redirects would take the
        credential elsewhere or turn the request into another one (RFC 9110 section 15.4).
        """
        asked = str(request.url)
        request.url = httpx2.URL(self._moved.get(asked, asked))
        for _ in range(_MAX_REDIRECTS):
            response = await self._send_authorized(request, body)
            location = _header(response, b"location").decode("latin-1")
            if response.status not in REDIRECTS or not location:
                return response
            await response.aclose()
            target = urljoin(str(request.url), quote(location, safe=_URL_CHARACTERS)).partition("#")[0]
            shown = target.partition("?")[0][:300]
            if response.status not in (307, 308) or origin_of(target) != origin_of(str(request.url)):
                raise McpError(
                    "http",
                    f"the endpoint redirects to {shown}; set `url` to it",
                    status=response.status,
                )
            request.url = httpx2.URL(target)
            self._moved[asked] = target
        raise McpError("http", f"the endpoint redirects more than {_MAX_REDIRECTS} times")

    def _stream_ended(self, lived_seconds: float) -> None:
        """The SDK opens the stream of notifications again whenever it ends. A server that always ends it at once does
        not want one, and is not asked any more.
        """
        self._short_streams = self._short_streams + 1 if lived_seconds < _SHORT_STREAM_SECONDS else 0

    async def _send_authorized(self, request: httpx2.Request, body: bytes) -> httpcore2.Response:
        """Send; after a 401 once more, if the credential was replaced meanwhile."""
        if self._renewal is None:
            return await self._send(request, body)
        await self._renewal.update()
        self._renewal.apply(request)
        response = await self._send(request, body)
        if response.status not in (401, 403):
            return response
        if not await self._renewal.renewed(response.status, _challenge(response)):
            return response
        await response.aclose()
        self._renewal.apply(request)
        return await self._send(request, body)

    async def _send(self, request: httpx2.Request, body: bytes) -> httpcore2.Response:
        target = self._target(request)
        try:
            address = httpcore2.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.target,
            )
            # No compression is asked for; what comes compressed all the same is unpacked within bounds (T28).
            headers = [(k, v) for k, v in request.headers.raw if k.lower() != b"accept-encoding"]
            headers.append((b"Accept-Encoding", b"identity"))
            outgoing = httpcore2.Request(
                request.method.encode(),
                address,
                headers=headers,
                content=body,
                extensions={"timeout": _TIMEOUTS},
            )
            return guarded(await self._pool.handle_async_request(outgoing))
        except EgressDenied as error:
            # Raised by the pool: the address that the name resolved to is not allowed.
            raise McpError("denied", str(error)) from None
        except _NOT_CONNECTED as error:
            raise McpError("unreachable", f"cannot connect to {target.origin}: {_reason(error)}") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise McpError("closed", f"{target.origin} broke off: {_reason(error)}", sent=True) from None

    def _target(self, request: httpx2.Request) -> HttpTarget:
        try:
            target = parse_target(str(request.url))
            check_scheme(target, self._rules)
            if self._proxied:
                check_proxied(target, self._rules)
        except EgressDenied as error:
            raise McpError("denied", str(error)) from None
        return target

    async def _read_bounded(
        self, request: httpx2.Request, body: bytes, response: httpcore2.Response
    ) -> httpx2.Response:
        """A body that is no stream of events. It is read here, so that its size has a limit, and so that something
        else than a message is told as what it is.
        """
        content = await _read(response, self._max_bytes)
        await response.aclose()
        status, headers, kind = response.status, _decoded_headers(response), _content_type(response)
        plain = status == 200 and kind == b"application/json" and is_plain_result(content)
        asked = None if plain or self._events or request.method != "POST" else request_in(body)
        if asked is not None:
            content = checked_message(content, asked, status, kind.decode("latin-1"))
            headers = [(key, value) for key, value in headers if key.lower() != b"content-type"]
            status, headers = 200, [*headers, (b"content-type", b"application/json")]
        if plain or asked is not None:
            content = for_sdk(content)
        return httpx2.Response(status, headers=headers, content=content)

    async def _refusal(self, request: httpx2.Request, body: bytes, response: httpcore2.Response) -> Exception:
        """The refusal as an error: `_JsonRpcRefusal` when the server gave its reason in JSON-RPC."""
        status = response.status
        content = await _read(response, _ERROR_BYTES)
        error = error_in(content)
        reason = reason_in(error) if error else content.decode("utf-8", "replace")
        asked = request_in(body)
        has_session = self._events or _SESSION_HEADER in request.headers
        if asked and not asked.opens and session_is_unknown(status, reason, has_session=has_session):
            return lost_session(reason, status)
        if status in (401, 403):
            kind: McpErrorKind = "unauthorized" if status == 401 else "forbidden"
            message = f"the server answered {status}: the credential is missing or refused"
            return McpError(kind, message, status=status, challenge=_challenge(response))
        if error is not None:
            return _JsonRpcRefusal(status, for_sdk(content))
        # With these statuses a gateway did not reach the server, or the server did not run the call (RFC 9110).
        return McpError(
            "http",
            f"the server answered {status}",
            sent=status not in (404, 405, 429, 503),
            status=status,
            retry_after_ms=milliseconds_to_wait(
                lambda name: _header(response, name.encode()).decode("latin-1")
            ),
        )

    def _error_response(self, request: httpx2.Request, body: bytes, error: McpError) -> httpx2.Response:
        # Over streamable HTTP a GET opens the optional stream of notifications, which a server may refuse.
        if not isinstance(error, _JsonRpcRefusal) and (self._events or request.method == "POST"):
            self.refusal = error
        if request.method == "DELETE":
            return httpx2.Response(204)
        if body.startswith(_NOTIFICATION):
            return httpx2.Response(202)
        status = error.status if error.status is not None and error.status >= 400 else 502
        if self._events and request.method == "POST":
            # Over SSE the response to a POST has no content, so the failure cannot reach its caller: the session ends.
            if error.kind == "session":
                refused(error)
            self._on_error(error)
            return httpx2.Response(202)
        content = error.content if isinstance(error, _JsonRpcRefusal) else _error_body(error)
        return httpx2.Response(status, headers=_JSON, content=content)


class _JsonRpcRefusal(McpError):
    """A refusal whose JSON-RPC body is passed to the caller unchanged."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__("http", f"the server answered {status}", sent=True, status=status)
        self.content = content


class _EventStream(httpx2.AsyncByteStream):
    """Events as they arrive; the SDK limits the size of each. A broken stream simply ends, which the SDK reports."""

    def __init__(
        self,
        response: httpcore2.Response,
        decoder: Decoder,
        max_bytes: int,
        ended: Callable[[float], None] | None,
        repair: EventRepair,
    ) -> None:
        self._repair = repair
        self._response = response
        self._decoder = decoder
        self._max_bytes = max_bytes
        self._ended = ended
        self._since = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_stream():
                yield self._repair.feed(self._decoder.feed(chunk, self._max_bytes))
            yield self._repair.finish()
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, HttpError):
            return

    async def aclose(self) -> None:
        if self._ended is not None:
            self._ended(time.monotonic() - self._since)
            self._ended = None
        await self._response.aclose()


def _as_sent(request: httpx2.Request, body: bytes) -> bytes:
    """The body as the server gets it."""
    sent = for_server(body)
    if sent is not body:
        request.headers["Content-Length"] = str(len(sent))
    return sent


async def _read(response: httpcore2.Response, limit: int) -> bytes:
    content = bytearray()
    decoder = _decoder(response)
    try:
        async for chunk in response.aiter_stream():
            content += decoder.feed(chunk, limit - len(content))
        decoder.finish()
    except TooLarge:
        raise McpError("too_large", f"the answer is larger than {limit} bytes", sent=True) from None
    except Unreachable as error:
        raise McpError("protocol", str(error), sent=True) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
        raise McpError("closed", f"the server broke off in its answer: {_reason(error)}", sent=True) from None
    return bytes(content)


def _decoder(response: httpcore2.Response) -> Decoder:
    """Raises `McpError` for an encoding that is not known here."""
    try:
        return decoder_for(_header(response, b"content-encoding").decode("latin-1"))
    except Unreachable as error:
        raise McpError("protocol", str(error), sent=True) from None


def _decoded_headers(response: httpcore2.Response) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in response.headers if key.lower() not in _OF_THE_ENCODING]


def _content_type(response: httpcore2.Response) -> bytes:
    return _header(response, b"content-type").split(b";")[0].strip().lower()


def _challenge(response: httpcore2.Response) -> str:
    """All challenges as one text (RFC 9110 section 11.6.1), bounded."""
    values = [value for name, value in response.headers if name.lower() == b"www-authenticate"]
    return b", ".join(values)[:_CHALLENGE_BYTES].decode("latin-1")


def _header(response: httpcore2.Response, name: bytes) -> bytes:
    return bytes(next((value for key, value in response.headers if key.lower() == name), b""))


def _error_body(error: McpError) -> bytes:
    return write_json({"jsonrpc": "2.0", "id": None, "error": error.as_error()})


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
