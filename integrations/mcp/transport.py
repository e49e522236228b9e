"""The SDK's transports with our own ends: HTTP through the egress guard, and a read stream that tells when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Self

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

from integrations.http import EgressRules, HttpError, origin_of
from integrations.http.backend import Resolve
from integrations.mcp.guarded import GuardedTransport
from integrations.mcp.renewal import Renewal
from integrations.mcp.servers import Limits, RemoteServer
from integrations.mcp.trouble import Trouble

Incoming = SessionMessage | Exception
Streams = tuple[ReadStream[Incoming], WriteStream[SessionMessage]]
Transport = AbstractAsyncContextManager[Streams]
Way = Literal["stdio", "streamable-http", "sse"]
Failed = Callable[[Trouble], None]


def guarded_transport(
    server: RemoteServer,
    way: Way,
    resolve: Resolve,
    limits: Limits,
    failed: Failed,
    renewal: Renewal | None = None,
) -> GuardedTransport:
    """The connections of one session. The origin of the server's URL is spelled out by the config. Raises `Trouble`."""
    own = {origin_of(server.url)} - {""}
    rules = EgressRules(server.egress.allow, server.egress.origins | own, server.egress.declared)
    try:
        return GuardedTransport(
            rules,
            limits.message_bytes,
            failed,
            events=way == "sse",
            resolve=resolve,
            transport=server.choose(),
            renewal=renewal,
            secure=not server.url.lower().startswith("http:"),
        )
    except HttpError as error:
        raise Trouble("unreachable", str(error)) from None


def http_transport(
    server: RemoteServer, way: Way, headers: Mapping[str, str], guarded: GuardedTransport, limits: Limits
) -> Transport:
    """Streamable HTTP or SSE over `guarded`, which stays open: its owner closes it."""

    def client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        # Neither proxies of the environment nor .netrc: what goes out is what the config says.
        return httpx2.AsyncClient(transport=_Lent(guarded), headers=headers, trust_env=False)

    if way == "sse":
        return sse_client(server.url, dict(headers), httpx_client_factory=client)
    return _streamable(server.url, client(dict(headers)), limits)


@asynccontextmanager
async def _streamable(url: str, http: httpx2.AsyncClient, limits: Limits) -> AsyncIterator[Streams]:
    async with (
        http,
        streamable_http_client(url, http_client=http, max_sse_event_size=limits.message_bytes) as streams,
    ):
        yield streams


class _Lent(httpx2.AsyncBaseTransport):
    """The guarded transport without its end: it outlives the client, so that it can be asked why things failed."""

    def __init__(self, guarded: GuardedTransport) -> None:
        self._guarded = guarded

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._guarded.handle_async_request(request)


class _Watched:
    """A read stream that tells when it ends. The SDK itself says so to nobody but the calls in flight."""

    def __init__(self, stream: ReadStream[Incoming], ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended = ended

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Incoming:
        return await self._stream.receive()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> ReadStream[Incoming]:
        return self

    async def __anext__(self) -> Incoming:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self._ended()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


@asynccontextmanager
async def watched(transport: Transport, failed: Failed) -> AsyncIterator[Streams]:
    """The transport, telling `failed` when the other side has ended it."""

    def ended() -> None:
        failed(Trouble("closed", "the connection ended", sent=True))

    async with transport as (read, write):
        yield _Watched(read, ended), write
