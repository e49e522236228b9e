"""One open session with a server, over whichever transport. The task that opens it closes it (anyio requires it).

Any task may make requests: the SDK matches answers to requests, sends `notifications/cancelled` when the waiting task
is cancelled, and wakes every waiter when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.client import Client
from mcp.client.session import ClientRequestContext, ClientSession, IncomingMessage
from mcp.shared.exceptions import MCPError as SdkError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from integrations.conversation import ElicitationRequest, OnElicit
from integrations.http import user_agent
from integrations.http.backend import ResolveHost, system_resolve
from integrations.mcp.answers import lost_session, reason_of
from integrations.mcp.child import StderrTail
from integrations.mcp.errors import (
    McpError,
    McpErrorKind,
    OnError,
    find_error,
    says_session_is_unknown,
    wrapped_error,
)
from integrations.mcp.http_transport import HeaderRenewal
from integrations.mcp.messages import hidden_if_needed, restore
from integrations.mcp.repair import AnswerRepair
from integrations.mcp.servers import (
    ChildSlots,
    LocalServer,
    McpLimits,
    McpServer,
    RemoteServer,
    ResolveValues,
    TokenHeaders,
)
from integrations.mcp.stdio import stdio_transport
from integrations.mcp.transport import (
    SessionTransport,
    TransportKind,
    http_connections,
    http_session_transport,
    watch,
)

# Errors about what the server sent. A call that was under way is told so, because reconnecting would not help it.
_ABOUT_CONTENT = ("too_large", "too_deep", "protocol")
# The statuses with which a server refuses streamable HTTP, so that `auto` goes on to SSE.
_NOT_STREAMABLE = frozenset({400, 404, 405})
# Codes of errors about the call itself: what they say of a session is about an argument of the tool.
_ABOUT_THE_CALL = frozenset({types.INVALID_PARAMS, types.METHOD_NOT_FOUND})
_QUOTED = re.compile(r"input_value=(.+?), input_type=")
NOBODY_TO_ASK = "nobody can be asked during this call"


@dataclass(frozen=True, slots=True)
class Listeners:
    """What a session calls. None of them may block."""

    on_error: OnError
    on_tools_changed: Callable[[], None]
    on_log: Callable[[str, Any], None]
    on_elicit: OnElicit | None = None


@dataclass(slots=True)
class Negotiated:
    """The transport and the protocol era that worked last, so that a reconnect need not find them out again."""

    transport: TransportKind | None = None
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """What the sessions of a process share: slots for child processes, the DNS resolver, our name and version."""

    slots: ChildSlots
    resolve: ResolveHost = system_resolve
    client_name: str = "executor-proxy"
    client_version: str = "0"


class McpSession:
    """An open session. `error` tells why it has ended, and is None until then."""

    def __init__(self, client: Client, transport: TransportKind) -> None:
        self._client = client
        self.transport: TransportKind = transport
        self.error: McpError | None = None
        # Tools and warnings of a server that declares no tools, once it was asked for them.
        self.undeclared_tools: tuple[Any, Any] | None = None

    @property
    def sdk_session(self) -> ClientSession:
        return self._client.session

    @property
    def capabilities(self) -> types.ServerCapabilities:
        return self._client.server_capabilities

    @property
    def modern(self) -> bool:
        """Whether the session speaks 2026-07-28 or later: no handshake, every request stands alone."""
        return self._client.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def server_name(self) -> str:
        info = self._client.server_info
        return restore(info.title or info.name) if info is not None else ""

    @property
    def over_http(self) -> bool:
        return self.transport != "stdio"

    @property
    def has_id(self) -> bool:
        """Whether it is a session that the server can forget: of the handshake era, over HTTP."""
        return self.over_http and not self.modern

    def listen(self) -> Any:
        """The modern stream of `tools/list_changed` (specification 2026-07-28, subscriptions)."""
        return self._client.listen(tools_list_changed=True)


class _FirstError:
    """The first error that a session ends with, kept for the session and reported once."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self.error: McpError | None = None
        self.session: McpSession | None = None

    def on_error(self, error: McpError) -> None:
        if self.error is None:
            self.error = error
            if self.session is not None:
                self.session.error = error
            self._listeners.on_error(error)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Everything an attempt to connect needs. `resolved` are headers or environment variables, secrets among them;
    `resolve` gives the present ones after a server has refused these. `stderr` takes what a local server writes there.
    """

    server: McpServer
    resolved: Mapping[str, str]
    listeners: Listeners
    shared: Shared
    limits: McpLimits
    resolve: ResolveValues = dict
    tokens: TokenHeaders | None = None
    stderr: StderrTail = field(default_factory=StderrTail)


@asynccontextmanager
async def open_session(options: SessionOptions, negotiated: Negotiated) -> AsyncIterator[McpSession]:
    """Connect and negotiate. Raises `McpError`, bare or inside an exception group."""
    async with contextlib.AsyncExitStack() as stack:
        session = await _connect_first(options, negotiated, stack)
        negotiated.transport, negotiated.legacy = session.transport, not session.modern
        yield session


async def _connect_first(
    options: SessionOptions, negotiated: Negotiated, stack: contextlib.AsyncExitStack
) -> McpSession:
    *others, last = _candidates(options.server, negotiated)
    for kind, legacy in others:
        try:
            return await _enter(stack, _connect(options, kind, legacy))
        except McpError as error:
            if not _try_next(error, kind):
                raise
    return await _enter(stack, _connect(options, *last))


async def _enter(
    stack: contextlib.AsyncExitStack, opened: AbstractAsyncContextManager[McpSession]
) -> McpSession:
    """Task groups wrap what is raised inside them. This raises the `McpError` itself, if there is one."""
    try:
        return await stack.enter_async_context(opened)
    except Exception as error:
        # Nothing is swallowed: what is not an `McpError` is raised as it is.
        found = find_error(error)
        if found is None:
            raise
        raise found from None


def _candidates(server: McpServer, negotiated: Negotiated) -> list[tuple[TransportKind, bool]]:
    """Transports and eras (legacy or not) to try, in order; only what worked before, while that is remembered.

    A local server is tried in the old era too, because some servers exit when the first message is not `initialize`.
    """
    if isinstance(server, LocalServer):
        return [("stdio", True)] if negotiated.legacy else [("stdio", False), ("stdio", True)]
    if negotiated.transport is not None:
        return [(negotiated.transport, negotiated.legacy)]
    if server.transport == "auto":
        return [("streamable-http", False), ("sse", True)]
    return [(server.transport, server.transport == "sse")]


def _try_next(error: McpError, kind: TransportKind) -> bool:
    if kind == "stdio":
        return error.kind == "closed"
    return error.kind == "http" and error.status in _NOT_STREAMABLE


@asynccontextmanager
async def _connect(options: SessionOptions, kind: TransportKind, legacy: bool) -> AsyncIterator[McpSession]:
    first = _FirstError(options.listeners)
    async with contextlib.AsyncExitStack() as stack:
        transport, refusal = _transport(options, kind, first.on_error, stack)
        repair = AnswerRepair()
        client = _client(watch(transport, first.on_error, repair), legacy, options.listeners, options.shared)
        # A local server may take long to start; while its process lives, starting it again would not be faster.
        seconds = options.limits.connect_seconds if isinstance(options.server, RemoteServer) else None
        try:
            async with asyncio.timeout(seconds):
                await stack.enter_async_context(client)
        except Exception as error:
            # The SDK raises whatever its transports and pydantic raise; each means that the server cannot be used.
            raise _connect_error(error, first.error, refusal(), options.limits) from None
        repair.version = client.protocol_version
        session = first.session = McpSession(client, kind)
        session.error = first.error
        yield session


def _transport(
    options: SessionOptions, kind: TransportKind, on_error: OnError, stack: contextlib.AsyncExitStack
) -> tuple[SessionTransport, Callable[[], McpError | None]]:
    """The transport, and a function that gives the last refusal over HTTP."""
    server, shared, limits = options.server, options.shared, options.limits
    if isinstance(server, RemoteServer):
        headers = {**server.headers, **options.resolved}
        if all(name.lower() != "user-agent" for name in headers):
            headers["User-Agent"] = user_agent()
        renewal = HeaderRenewal(headers, options.resolve, options.tokens)
        guarded = http_connections(server, kind, shared.resolve, limits, on_error, renewal)
        stack.push_async_callback(guarded.aclose)
        return http_session_transport(server, kind, headers, guarded, limits), lambda: guarded.refusal
    environment = {**server.environment, **options.resolved}
    transport = stdio_transport(server, environment, shared.slots, limits, on_error, options.stderr)
    return transport, lambda: None


def _connect_error(
    error: Exception, reported: McpError | None, refusal: McpError | None, limits: McpLimits
) -> McpError:
    """Why the attempt failed. What the transport reported says more than what the SDK made of it, except "closed"."""
    specific = reported if reported is not None and reported.kind != "closed" else None
    if found := specific or find_error(error) or refusal:
        return found
    if isinstance(error, TimeoutError):
        return McpError("timeout", f"the server did not answer within {limits.connect_seconds:g} seconds")
    if reported is not None:
        return reported
    return McpError("protocol", f"the server does not speak MCP as expected: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _client(transport: SessionTransport, legacy: bool, listeners: Listeners, shared: Shared) -> Client:
    """Sampling and roots have no callback, so the SDK does not declare them and refuses requests for them."""

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            listeners.on_tools_changed()

    async def on_log(params: types.LoggingMessageNotificationParams) -> None:
        listeners.on_log(params.level, restore(params.data))

    return Client(
        transport,
        mode="legacy" if legacy else "auto",
        cache=None,
        message_handler=on_message,
        logging_callback=on_log,
        elicitation_callback=_elicitation(listeners.on_elicit) if listeners.on_elicit is not None else None,
        client_info=types.Implementation(name=shared.client_name, version=shared.client_version),
    )


def _elicitation(ask: OnElicit) -> Any:
    async def answer(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        given = await ask(elicitation_of(params))
        if given is None:
            return types.ErrorData(code=types.INVALID_REQUEST, message=NOBODY_TO_ASK)
        return types.ElicitResult(action=given.action, content=hidden_if_needed(given.content))

    return answer


def elicitation_of(params: types.ElicitRequestParams) -> ElicitationRequest:
    """The question as a type of ours."""
    message = restore(params.message)
    if isinstance(params, types.ElicitRequestURLParams):
        return ElicitationRequest(message, url=params.url)
    return ElicitationRequest(message, schema=restore(dict(params.requested_schema)))


def connection_error(error: SdkError, session: McpSession) -> McpError | None:
    """The failure of the connection that `error` stands for, or None when the server itself answered with it."""
    wrapped = wrapped_error(error)
    if wrapped is not None:
        return wrapped
    if _made_by_sdk(error) and error.code == types.PARSE_ERROR:
        return _unreadable(error.message)
    reason = reason_of(error.message, error.data)
    if session.over_http and error.code not in _ABOUT_THE_CALL and says_session_is_unknown(reason):
        return lost_session(reason)
    if error.code == types.CONNECTION_CLOSED and (session.error is not None or _made_by_sdk(error)):
        # The request was under way when the connection ended, so it counts as sent whatever ended the connection.
        ending = session.error
        kind: McpErrorKind = ending.kind if ending is not None and ending.kind in _ABOUT_CONTENT else "closed"
        return McpError(kind, ending.message if ending is not None else error.message, sent=True)
    return None


def _made_by_sdk(error: SdkError) -> bool:
    """Whether the SDK itself made this error, for a stream that ended without an answer or an answer that it cannot
    read (the messages of mcp 2.3).
    """
    return error.data is None and (
        "SSE stream" in error.message
        or error.message == "Connection closed"
        or error.message.startswith(("Failed to parse SSE message", "Failed to parse JSON response"))
    )


def _unreadable(message: str) -> McpError:
    """An answer that is no message. The SDK quotes its beginning; nothing else may be concluded from what it says than
    that a new session may help, because a part of a result may say the same.
    """
    kind: McpErrorKind = "session" if says_session_is_unknown(message) else "protocol"
    quoted = _QUOTED.search(message)
    said = f": {quoted[1][:200]}" if quoted is not None else ""
    return McpError(kind, f"the server's answer is no message of MCP{said}", sent=True)
