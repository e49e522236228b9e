"""One open session with a server, over whichever transport. One task opens and closes it (anyio's rule), many use it.

The session's requests may be made by any task: the SDK correlates them, sends `notifications/cancelled` when the task
that waits is cancelled, and wakes every waiter when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.client import Client
from mcp.client.session import ClientRequestContext, ClientSession, IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from integrations.conversation import ElicitationRequest, OnElicit
from integrations.http.backend import ResolveHost, system_resolve
from integrations.mcp.renewal import Renew, Renewal
from integrations.mcp.servers import ChildSlots, Limits, LocalServer, RemoteServer, Server
from integrations.mcp.stdio import stdio_transport
from integrations.mcp.transport import Transport, Way, guarded_transport, http_transport, watched
from integrations.mcp.trouble import Kind, Trouble, first_trouble, trouble_in

# Endings that are about what the server wrote, so that connecting again is no remedy for the call.
_TELLING = ("too_large", "protocol")
_NOT_STREAMABLE = frozenset({400, 404, 405})
NOBODY = "nobody can be asked during this call"


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom a link tells what. `failed` and `tools_changed` must not block."""

    failed: Callable[[Trouble], None]
    tools_changed: Callable[[], None]
    log: Callable[[str, Any], None]
    elicit: OnElicit | None = None


@dataclass(slots=True)
class Memory:
    """What earlier sessions of the same server taught: spares a probe on every reconnect."""

    way: Way | None = None
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """What the links of a process share: the slots for children, the resolver, and who we say we are."""

    slots: ChildSlots
    resolve: ResolveHost = system_resolve
    client_name: str = "executor-proxy"
    client_version: str = "0"


class Link:
    """An open session. `trouble` is set once it has ended, and tells why."""

    def __init__(self, client: Client, way: Way) -> None:
        self._client = client
        self.way: Way = way
        self.trouble: Trouble | None = None

    @property
    def session(self) -> ClientSession:
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
        return (info.title or info.name) if info is not None else ""

    def listen(self) -> Any:
        """The modern stream of `tools/list_changed` (specification 2026-07-28, subscriptions)."""
        return self._client.listen(tools_list_changed=True)


class _Ending:
    """Collects why a link ended; the first reason stays."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self.trouble: Trouble | None = None
        self.link: Link | None = None

    def failed(self, trouble: Trouble) -> None:
        if self.trouble is None:
            self.trouble = trouble
            if self.link is not None:
                self.link.trouble = trouble
            self._listeners.failed(trouble)


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything an attempt to connect needs. `resolved` are headers or environment variables, secrets among them;
    `renew` gives them anew when a server refuses those.
    """

    server: Server
    resolved: Mapping[str, str]
    listeners: Listeners
    shared: Shared
    limits: Limits
    renew: Renew = dict


@asynccontextmanager
async def open_link(opening: Opening, memory: Memory) -> AsyncIterator[Link]:
    """Connect and negotiate. Raises `Trouble`, bare or inside an exception group."""
    async with contextlib.AsyncExitStack() as stack:
        link = await _connected(opening, memory, stack)
        memory.way, memory.legacy = link.way, not link.modern
        yield link


async def _connected(opening: Opening, memory: Memory, stack: contextlib.AsyncExitStack) -> Link:
    *others, last = _attempts(opening.server, memory)
    for way, legacy in others:
        try:
            return await _enter(stack, _opened(opening, way, legacy))
        except Trouble as trouble:
            if not _worth_another(trouble, way):
                raise
    return await _enter(stack, _opened(opening, *last))


async def _enter(stack: contextlib.AsyncExitStack, opened: AbstractAsyncContextManager[Link]) -> Link:
    """Task groups wrap what is raised inside them; here it is unwrapped."""
    try:
        return await stack.enter_async_context(opened)
    except Exception as error:
        # Whatever it is, it is only looked into and raised again.
        trouble = first_trouble(error)
        if trouble is None:
            raise
        raise trouble from None


def _attempts(server: Server, memory: Memory) -> list[tuple[Way, bool]]:
    """Transports and eras (legacy or not) to try, in order; what worked before stays alone while it works.

    A local server gets a second chance in the old era, because some end when the first message is no `initialize`.
    """
    if isinstance(server, LocalServer):
        return [("stdio", True)] if memory.legacy else [("stdio", False), ("stdio", True)]
    if memory.way is not None:
        return [(memory.way, memory.legacy)]
    if server.transport == "auto":
        return [("streamable-http", False), ("sse", True)]
    return [(server.transport, server.transport == "sse")]


def _worth_another(trouble: Trouble, way: Way) -> bool:
    if way == "stdio":
        return trouble.kind == "closed"
    return trouble.kind == "http" and trouble.status in _NOT_STREAMABLE


@asynccontextmanager
async def _opened(opening: Opening, way: Way, legacy: bool) -> AsyncIterator[Link]:
    ending = _Ending(opening.listeners)
    async with contextlib.AsyncExitStack() as stack:
        transport, refusal = _transport(opening, way, ending.failed, stack)
        client = _client(watched(transport, ending.failed), legacy, opening.listeners, opening.shared)
        try:
            async with asyncio.timeout(opening.limits.connect_seconds):
                await stack.enter_async_context(client)
        except Exception as error:
            # The SDK lets through what its transports and pydantic raise; each is a server that cannot be used.
            raise _why(error, ending.trouble, refusal(), opening.limits) from None
        link = ending.link = Link(client, way)
        link.trouble = ending.trouble
        yield link


def _transport(
    opening: Opening, way: Way, failed: Callable[[Trouble], None], stack: contextlib.AsyncExitStack
) -> tuple[Transport, Callable[[], Trouble | None]]:
    """The transport, and a way to ask for the last HTTP refusal."""
    server, shared, limits = opening.server, opening.shared, opening.limits
    if isinstance(server, RemoteServer):
        headers = {**server.headers, **opening.resolved}
        renewal = Renewal(headers, opening.renew)
        guarded = guarded_transport(server, way, shared.resolve, limits, failed, renewal)
        stack.push_async_callback(guarded.aclose)
        return http_transport(server, way, headers, guarded, limits), lambda: guarded.refusal
    environment = {**server.environment, **opening.resolved}
    return stdio_transport(server, environment, shared.slots, limits, failed), lambda: None


def _why(error: Exception, seen: Trouble | None, refusal: Trouble | None, limits: Limits) -> Trouble:
    """The best reason for an attempt that failed: what the transport saw before what the SDK made of it."""
    telling = seen if seen is not None and seen.kind != "closed" else None
    if found := telling or first_trouble(error) or refusal:
        return found
    if isinstance(error, TimeoutError):
        return Trouble("timeout", f"the server did not answer within {limits.connect_seconds:g} seconds")
    if seen is not None:
        return seen
    return Trouble("protocol", f"the server does not speak MCP as expected: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _client(transport: Transport, legacy: bool, listeners: Listeners, shared: Shared) -> Client:
    """Sampling and roots have no callback: the capability is not declared, and a request all the same is refused."""

    async def notified(message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            listeners.tools_changed()

    async def logged(params: types.LoggingMessageNotificationParams) -> None:
        listeners.log(params.level, params.data)

    return Client(
        transport,
        mode="legacy" if legacy else "auto",
        cache=None,
        message_handler=notified,
        logging_callback=logged,
        elicitation_callback=_elicitation(listeners.elicit) if listeners.elicit is not None else None,
        client_info=types.Implementation(name=shared.client_name, version=shared.client_version),
    )


def _elicitation(ask: OnElicit) -> Any:
    async def answer(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        given = await ask(elicitation_of(params))
        if given is None:
            return types.ErrorData(code=types.INVALID_REQUEST, message=NOBODY)
        return types.ElicitResult(action=given.action, content=given.content)

    return answer


def elicitation_of(params: types.ElicitRequestParams) -> ElicitationRequest:
    """The question in our own words."""
    if isinstance(params, types.ElicitRequestURLParams):
        return ElicitationRequest(params.message, url=params.url)
    return ElicitationRequest(params.message, schema=dict(params.requested_schema))


def trouble_of(error: MCPError, link: Link) -> Trouble | None:
    """Trouble with the connection, or None when the server itself answered with this error."""
    wrapped = trouble_in(error)
    if wrapped is not None:
        return wrapped
    if error.code == types.CONNECTION_CLOSED and (link.trouble is not None or _by_sdk(error)):
        # This call was under way, whatever the call was that found the trouble.
        ending = link.trouble
        kind: Kind = ending.kind if ending is not None and ending.kind in _TELLING else "closed"
        return Trouble(kind, ending.message if ending is not None else error.message, sent=True)
    return None


def _by_sdk(error: MCPError) -> bool:
    """Whether the SDK made this error itself: a stream that ended without an answer (its own words, mcp 2.3)."""
    return error.data is None and ("SSE stream" in error.message or error.message == "Connection closed")
