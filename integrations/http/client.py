"""`HttpClient`: one request in, one bounded response out. Pools are per owner, tenant, egress rules and transport."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import TracebackType

import httpcore2

from integrations.http.backend import ResolveHost, system_resolve
from integrations.http.decoding import decoder_for
from integrations.http.egress import EgressRules, HttpTarget, check_scheme, parse_target
from integrations.http.errors import EgressDenied, TimedOut, TooLarge, Unreachable
from integrations.http.leftovers import guarded
from integrations.http.transport import (
    DIRECT,
    ChooseTransport,
    TransportOptions,
    check_proxied,
    open_pool,
    plain_context,
    tls_context,
)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN_IN_VALUES = re.compile(r"[\r\n\x00]")
_CONNECT_SECONDS = 10.0
_MAX_POOLS = 256
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`body` is decoded (Content-Encoding removed). `truncated` only happens for types named in `partial`."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    url: str
    truncated: bool = False

    def header(self, name: str) -> str:
        """First value of a header, "" when absent. Names are case-insensitive (RFC 9110 section 5.1)."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class _Call:
    """What `HttpClient.request` was asked for."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None
    timeout_seconds: float
    max_bytes: int
    allow: EgressRules
    partial: Collection[str]
    tenant: str


_PoolKey = tuple[str, str, EgressRules, TransportOptions, bool, tuple[object, ...]]


class HttpClient:
    """The guarded client. Opened and closed by the composition root with `async with`; safe for many tasks.

    A connection made for one owner or tenant, under one set of egress rules, or over one transport, is never used for
    another: each has its own pools, one for plain http and one for https. `stamp` returns headers that are added to
    every request (trace context).
    """

    def __init__(
        self,
        *,
        resolve: ResolveHost = system_resolve,
        max_connections: int = 256,
        stamp: Callable[[], Collection[tuple[str, str]]] = tuple,
    ) -> None:
        self._resolve = resolve
        self._stamp = stamp
        self._max_connections = max_connections
        self._ssl: ssl.SSLContext | None = None
        self._pools: OrderedDict[_PoolKey, httpcore2.AsyncConnectionPool] = OrderedDict()

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.aclose()

    async def request(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        *,
        timeout_seconds: float,
        max_bytes: int,
        allow: EgressRules,
        partial: Collection[str] = (),
        tenant: str = "",
    ) -> HttpResponse:
        """Send one request and read the whole answer. Raises the `HttpError` tree; follows no redirect.

        `partial`: media types (without parameters) for which a limit of time or size ends the reading and
        keeps what has arrived, instead of failing: streams that may never end. Connections that were made for one
        `tenant` carry requests of no other.
        """
        call = _Call(method, url, headers, body, timeout_seconds, max_bytes, allow, partial, tenant)
        return await self._send(call, DIRECT)

    def through(self, choose: ChooseTransport, owner: str = "") -> HttpClient:
        """The same client, with every request over the transport that `choose` answers. Connections that one `owner`
        has made carry requests of no other."""
        return _Through(self, choose, owner)

    async def _send(self, call: _Call, transport: TransportOptions, owner: str = "") -> HttpResponse:
        target = parse_target(call.url)
        check_scheme(target, call.allow)
        if transport.proxy is not None:
            check_proxied(target, call.allow)
        headers = [*call.headers, *self._stamp()]
        request = _build(call.method, target, headers, call.body, call.timeout_seconds)
        pool = await self._pool(
            call.allow,
            transport,
            target.scheme == "https" or transport.proxy is not None,
            (owner, call.tenant),
        )
        reading = _Reading(call.url, call.max_bytes, frozenset(call.partial), call.method.upper() == "HEAD")
        try:
            async with asyncio.timeout(call.timeout_seconds):
                await reading.run(pool, request)
        except TimeoutError:
            return reading.after_timeout()
        except (httpcore2.ConnectTimeout, httpcore2.PoolTimeout):
            raise TimedOut(f"no connection to {target.origin} in time") from None
        except httpcore2.TimeoutException:
            raise TimedOut(f"{target.origin} did not answer in time", sent=True) from None
        except (httpcore2.ConnectError, httpcore2.UnsupportedProtocol, httpcore2.ProxyError) as error:
            raise Unreachable(f"cannot connect to {target.origin}: {_reason(error)}") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Unreachable(f"{target.origin} broke off: {_reason(error)}", sent=True) from None
        return reading.response()

    async def _pool(
        self, rules: EgressRules, transport: TransportOptions, secure: bool, whose: tuple[str, str]
    ) -> httpcore2.AsyncConnectionPool:
        key = (*whose, rules, transport, secure, transport.stamps())
        pool = self._pools.get(key)
        if pool is None:
            context = self._context(transport, secure)
            pool = self._pools[key] = open_pool(
                rules, self._resolve, transport, context, self._max_connections
            )
            await self._drop_idle_pool()
        self._pools.move_to_end(key)
        return pool

    def _context(self, transport: TransportOptions, secure: bool) -> ssl.SSLContext:
        """Reading the system's certificates takes milliseconds, so transports that need no others share one context."""
        if transport.ca_bundle is not None or transport.client_cert is not None:
            return tls_context(transport)
        if not secure:
            return plain_context()
        if self._ssl is None:
            self._ssl = tls_context(DIRECT)
        return self._ssl

    async def _drop_idle_pool(self) -> None:
        """Close the oldest idle pool when there are too many: egress rules change with reloads."""
        if len(self._pools) <= _MAX_POOLS:
            return
        for key, pool in self._pools.items():
            if all(connection.is_idle() for connection in pool.connections):
                del self._pools[key]
                await pool.aclose()
                return


class _Through(HttpClient):
    """A view of a client. It owns no connection, so closing it closes none."""

    def __init__(self, client: HttpClient, choose: ChooseTransport, owner: str) -> None:
        super().__init__()
        self._client = client
        self._choose = choose
        self._owner = owner

    async def _send(self, call: _Call, transport: TransportOptions, owner: str = "") -> HttpResponse:
        return await self._client._send(call, self._choose(), self._owner)


class _Reading:
    """One response as it arrives."""

    def __init__(self, url: str, max_bytes: int, partial: frozenset[str], bodyless: bool) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._partial = partial
        self._bodyless = bodyless
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._truncated = False

    async def run(self, pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request) -> None:
        response = guarded(await pool.handle_async_request(request))
        try:
            self._status = response.status
            self._headers = [(_text(name), _text(value)) for name, value in response.headers]
            await self._read(response)
        except TooLarge:
            if not self._keeps_partial():
                raise
            self._truncated = True
        finally:
            await response.aclose()

    async def _read(self, response: httpcore2.Response) -> None:
        declared = self._header("content-length")
        if declared.isdecimal() and int(declared) > self._max_bytes and not self._bodyless:
            raise TooLarge(
                f"the response body of {declared} bytes is larger than {self._max_bytes}", sent=True
            )
        decoder = decoder_for(self._header("content-encoding"))
        received = 0
        async for chunk in response.aiter_stream():
            received += len(chunk)
            if received > self._max_bytes:
                raise TooLarge(f"the response body is larger than {self._max_bytes} bytes", sent=True)
            self._body += decoder.feed(chunk, self._max_bytes - len(self._body))
        decoder.finish()

    def _header(self, name: str) -> str:
        return next((value for key, value in self._headers if key.lower() == name), "")

    def _keeps_partial(self) -> bool:
        return self._header("content-type").split(";")[0].strip().lower() in self._partial

    def after_timeout(self) -> HttpResponse:
        if self._status and self._keeps_partial():
            self._truncated = True
            return self.response()
        raise TimedOut("the upstream did not answer in time", sent=True)

    def response(self) -> HttpResponse:
        return HttpResponse(self._status, self._headers, bytes(self._body), self._url, self._truncated)


def _build(
    method: str, target: HttpTarget, headers: list[tuple[str, str]], body: bytes | None, timeout: float
) -> httpcore2.Request:
    if not _TOKEN.fullmatch(method):
        raise EgressDenied("not an HTTP method")
    lines = [(b"Host", target.authority.encode("ascii"))]
    given = {name.lower() for name, _ in headers}
    lines += [_header_line(name, value) for name, value in headers if name.lower() not in _SET_BY_CLIENT]
    for name, value in (("User-Agent", user_agent()), *_DEFAULT_HEADERS):
        if name.lower() not in given:
            lines.append((name.encode(), value.encode()))
    if body is not None or method.upper() not in _BODYLESS:
        lines.append((b"Content-Length", str(len(body or b"")).encode()))
    connect = min(_CONNECT_SECONDS, timeout)
    return httpcore2.Request(
        method.encode("ascii"),
        httpcore2.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode("ascii"),
            port=target.port,
            target=target.target,
        ),
        headers=lines,
        content=body or b"",
        extensions={"timeout": {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}},
    )


_SET_BY_CLIENT = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_DEFAULT_HEADERS = (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate"))


@cache
def user_agent() -> str:
    """What every request says of its sender, unless the config gives the header."""
    return f"executor/{metadata.version('executor-proxy')}"


def _header_line(name: str, value: str) -> tuple[bytes, bytes]:
    if not _TOKEN.fullmatch(name):
        raise EgressDenied("a header name holds characters no header name may hold (RFC 9110 section 5.1)")
    if _FORBIDDEN_IN_VALUES.search(value):
        raise EgressDenied(f"the value of header {name} holds CR, LF or NUL (RFC 9110 section 5.5)")
    return name.encode("ascii"), value.strip(" \t").encode("utf-8")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _text(raw: bytes) -> str:
    """Header bytes as text: UTF-8 where it is that, else ISO 8859-1 (RFC 9110 section 5.5)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
