"""The HTTP transports of the SDK over our own connections, and a read stream that is watched."""

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

from integrations.http import HttpError
from integrations.http.backend import ResolveHost
from integrations.mcp.errors import McpError, OnError
from integrations.mcp.http_transport import GuardedTransport, HeaderRenewal
from integrations.mcp.repair import Repair
from integrations.mcp.servers import McpLimits, RemoteServer

MessageOrError = SessionMessage | Exception
MessageStreams = tuple[ReadStream[MessageOrError], WriteStream[SessionMessage]]
SessionTransport = AbstractAsyncContextManager[MessageStreams]
TransportKind = Literal["stdio", "streamable-http", "sse"]


def http_connections(
    server: RemoteServer,
    kind: TransportKind,
    resolve: ResolveHost,
    limits: McpLimits,
    on_error: OnError,
    renewal: HeaderRenewal | None = None,
) -> GuardedTransport:
    """The connections of one session. Raises `McpError`."""
    try:
        return GuardedTransport(
            server.egress_rules(),
            limits.message_bytes,
            on_error,
            events=kind == "sse",
            resolve=resolve,
            transport=server.choose(),
            renewal=renewal,
            secure=not server.url.lower().startswith("http:"),
        )
    except HttpError as error:
        raise McpError("unreachable", str(error)) from None


def http_session_transport(
    server: RemoteServer,
    kind: TransportKind,
    headers: Mapping[str, str],
    guarded: GuardedTransport,
    limits: McpLimits,
) -> SessionTransport:
    """Streamable HTTP or SSE over `guarded`, which the caller closes."""

    def client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        # `trust_env=False`: neither the proxies of the environment nor .netrc are used, only what the config says.
        return httpx2.AsyncClient(transport=_Unclosed(guarded), headers=headers, trust_env=False)

    if kind == "sse":
        return sse_client(server.url, dict(headers), httpx_client_factory=client)
    return _streamable(server.url, client(dict(headers)), limits)


@asynccontextmanager
async def _streamable(url: str, http: httpx2.AsyncClient, limits: McpLimits) -> AsyncIterator[MessageStreams]:
    async with (
        http,
        streamable_http_client(url, http_client=http, max_sse_event_size=limits.message_bytes) as streams,
    ):
        yield streams


class _Unclosed(httpx2.AsyncBaseTransport):
    """The guarded transport, which closing the client does not close: afterwards `refusal` is read from it."""

    def __init__(self, guarded: GuardedTransport) -> None:
        self._guarded = guarded

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._guarded.handle_async_request(request)


class _WatchedStream:
    """A read stream that repairs its messages and reports its end. The SDK reports that only to the calls under way."""

    def __init__(self, stream: ReadStream[MessageOrError], ended: Callable[[], None], repair: Repair) -> None:
        self._stream = stream
        self._ended = ended
        self._repair = repair

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> MessageOrError:
        message = await self._stream.receive()
        self._repair(message)
        return message

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> ReadStream[MessageOrError]:
        return self

    async def __anext__(self) -> MessageOrError:
        try:
            message = await self._stream.__anext__()
        except BaseException:
            self._ended()
            raise
        self._repair(message)
        return message

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
async def watch(
    transport: SessionTransport, on_error: OnError, repair: Repair
) -> AsyncIterator[MessageStreams]:
    """The transport; `repair` sees every message, and `on_error` is called when the other side has ended it."""

    def ended() -> None:
        on_error(McpError("closed", "the connection ended", sent=True))

    async with transport as (read, write):
        yield _WatchedStream(read, ended, repair), write
