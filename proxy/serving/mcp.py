"""The MCP server: two tools, described anew on every `tools/list`, over the SDK's low-level `Server`.

`build_server` makes one server per start (the SDK's lifespans and run loops are once-only). Its handlers hold
no caller: who calls comes with each request as the `Peer` in `lifespan_context`.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged
from mcp.shared.exceptions import MCPError

from proxy.executions import OUTPUT_SCHEMA, ExecutionResult
from proxy.serving import sdk, tools
from proxy.serving.errors import RateLimited
from proxy.serving.gateway import Gateway
from proxy.serving.observer import Reports, Silence, reporting
from proxy.serving.peer import Peer

log = logging.getLogger(__name__)
Context = ServerRequestContext[Peer, Any]
JsonObject = dict[str, Any]

# Clients that cache by `ttlMs` and do not listen see a changed configuration after this time at the latest.
TTL_MS = 1000
SHA_META_KEY = "executor/config-sha256"
_ANNOTATIONS = types.ToolAnnotations(
    title="Run code against the connected integrations",
    read_only_hint=False,
    destructive_hint=True,
    idempotent_hint=False,
    open_world_hint=True,
)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a start fixes: our name and version as clients see them, and the runtimes the configuration
    names."""

    name: str = "executor"
    version: str = ""
    runtimes: tuple[str, ...] = ("quickjs",)


class Changes:
    """The 2026-07-28 `subscriptions/listen` streams, by workspace, so that nobody hears of another's
    changes."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[_Bus, ListenHandler]] = {}

    def announce(self, workspaces: frozenset[str]) -> None:
        for workspace in workspaces & self._handlers.keys():
            self._handlers[workspace][0].tell(ToolsListChanged())

    def end_streams(self) -> None:
        """Each stream sends its final result and ends; the client knows that it was on purpose."""
        for _, handler in self._handlers.values():
            handler.close()

    async def listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        workspace = context.lifespan_context.principal.workspace_id
        if workspace not in self._handlers:
            bus = _Bus()
            self._handlers[workspace] = (bus, ListenHandler(bus, max_buffered_events=64))
        return await self._handlers[workspace][1](context, params)


class _Bus:
    """The SDK's `SubscriptionBus`, told synchronously."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}

    async def publish(self, event: ServerEvent) -> None:
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        for listener in list(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe


def build_server(
    gateway: Gateway, changes: Changes, options: ServerOptions, peer: Peer | None = None
) -> Server[Any]:
    """`peer` is the one caller of a stdio server; over HTTP every request brings its own."""
    handlers = Handlers(gateway, options)

    @asynccontextmanager
    async def lifespan(_: Server[Any]) -> AsyncIterator[Peer | None]:
        yield peer

    server: Server[Any] = Server(
        options.name,
        version=options.version,
        title="Executor",
        lifespan=lifespan,
        cache_hints={"tools/list": CacheHint(TTL_MS), "server/discover": CacheHint(TTL_MS)},
        get_tool_input_schema=handlers.input_schema,
        on_list_tools=handlers.list_tools,
        on_subscriptions_listen=changes.listen,
    )
    # Registered by name because the constructor's typed parameters are narrower (a result may be a plain
    # dict, which saves a validation) or warn about a capability that older clients still use (logging).
    server.add_request_handler("tools/call", types.CallToolRequestParams, handlers.call_tool)
    server.add_request_handler("server/discover", types.RequestParams, handlers.discover)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, handlers.set_level)
    server.middleware.clear()
    return server


def instructions(gateway: Gateway, peer: Peer) -> str:
    """The server's `instructions` for one caller, made anew at each handshake or discovery."""
    _, revision = gateway.description(peer.principal)
    return (
        "This server runs JavaScript against the integrations of one workspace. Call `execute`; its "
        "description lists what is connected. Inside the code, `tools.search` and `tools.describe.tool` "
        f"always show what is current. Workspace {peer.principal.workspace_id}, catalog revision {revision}."
    )


class Handlers:
    """The request handlers. A defect is logged under eight hex digits, and only these leave."""

    def __init__(self, gateway: Gateway, options: ServerOptions) -> None:
        self._gateway = gateway
        self._options = options
        self._schemas = {"execute": tools.execute_schema(options.runtimes), "resume": tools.resume_schema()}

    def input_schema(self, name: str) -> JsonObject | None:
        return self._schemas.get(name)

    async def list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        peer = context.lifespan_context
        with _no_defect_out():
            text, revision = self._gateway.description(peer.principal)
        peer.memory.revision = revision
        return types.ListToolsResult(tools=[self._execute_tool(text), self._resume_tool()])

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> JsonObject:
        calls = {"execute": self._execute, "resume": self._resume}
        if params.name not in calls:
            raise MCPError(
                types.INVALID_PARAMS, f"Unknown tool: {params.name[:64]}. The tools are execute and resume."
            )
        with _no_defect_out():
            try:
                return await calls[params.name](context, params.arguments or {})
            except tools.BadArgument as error:
                return _text_error(f"Invalid arguments for `{params.name}`: {error}")
            except RateLimited as error:
                # The request itself was within its limit, so this is told where the model reads it.
                seconds = max(1, math.ceil(error.retry_after_seconds))
                return _text_error(
                    f"rate_limited: the limit `{error.limit}` is used up. Try again in {seconds} s."
                )

    async def discover(self, context: Context, params: types.RequestParams | None) -> types.DiscoverResult:
        server_capabilities = types.ServerCapabilities(
            tools=types.ToolsCapability(list_changed=True), logging=types.LoggingCapability()
        )
        with _no_defect_out():
            text = instructions(self._gateway, context.lifespan_context)
        return types.DiscoverResult(
            supported_versions=list(sdk.MODERN_VERSIONS), capabilities=server_capabilities, instructions=text
        )

    async def set_level(self, context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        context.lifespan_context.memory.log_level = params.level
        return types.EmptyResult()

    async def _execute(self, context: Context, arguments: JsonObject) -> JsonObject:
        peer = context.lifespan_context
        request = tools.read_execute(arguments, self._options.runtimes, peer.session_id)
        reports = _reports(context)
        if reports is None:
            result = await self._gateway.execute(request, peer.principal, Silence())
        else:
            async with reporting(reports, _notifier(context)):
                result = await self._gateway.execute(request, peer.principal, reports)
        return self._answer(result, peer)

    async def _resume(self, context: Context, arguments: JsonObject) -> JsonObject:
        peer = context.lifespan_context
        execution, action, content, interaction = tools.read_resume(arguments)
        if peer.mode != "model":
            # Whoever asked for a person must not get a model that approves its own calls.
            return _text_error(
                f"This session asked for elicitation mode `{peer.mode}`, which is not available on this server. "
                "Connect without `elicitation_mode` to decide here."
            )
        result = await self._gateway.resume(execution, action, content, interaction, peer.principal)
        return self._answer(result, peer)

    def _answer(self, result: ExecutionResult, peer: Peer) -> JsonObject:
        return {
            "content": with_lines(result.content(), self._remarks(peer)),
            "structuredContent": result.structured(),
            "isError": result.is_error,
            "_meta": {SHA_META_KEY: self._gateway.config_sha256()},
            "resultType": "complete",
        }

    def _remarks(self, peer: Peer) -> list[str]:
        lines = []
        if peer.mode != "model":
            lines.append(
                f"Note: elicitation mode `{peer.mode}` is not available on this server, and `resume` is refused "
                "in this session: calls that need approval wait until they expire."
            )
        if peer.memory.revision is not None:
            changed = self._gateway.changes_since(peer.principal, peer.memory.revision)
            if changed:
                lines.append(" ".join(changed.split()))
        return lines

    def _execute_tool(self, description: str) -> types.Tool:
        return types.Tool(
            name="execute",
            description=description,
            input_schema=self._schemas["execute"],
            output_schema=OUTPUT_SCHEMA,
            annotations=_ANNOTATIONS,
        )

    def _resume_tool(self) -> types.Tool:
        return types.Tool(
            name="resume", description=tools.RESUME_DESCRIPTION, input_schema=self._schemas["resume"]
        )


def with_lines(content: list[JsonObject], lines: list[str]) -> list[JsonObject]:
    """The content blocks with these lines at the end of the result's text, which is the first text block."""
    if not lines:
        return content
    tail = "\n".join(lines)
    for index, block in enumerate(content):
        if block.get("type") == "text":
            return [*content[:index], {**block, "text": f"{block['text']}\n\n{tail}"}, *content[index + 1 :]]
    return [{"type": "text", "text": tail}, *content]


def _text_error(message: str) -> JsonObject:
    return {"content": [{"type": "text", "text": message}], "isError": True, "resultType": "complete"}


@contextmanager
def _no_defect_out() -> Iterator[None]:
    """A handler lets nothing but `MCPError` out: the SDK would show the text of anything else to some
    clients."""
    try:
        yield
    except MCPError:
        raise
    except Exception as error:
        reference = secrets.token_hex(4)
        log.error("internal error [%s]", reference, exc_info=error)
        raise MCPError(types.INTERNAL_ERROR, f"Internal error [{reference}]") from None


def _reports(context: Context) -> Reports | None:
    """Where reports go, or None when this client asked for neither progress nor log messages."""
    meta = context.meta or {}
    token = sdk.progress_token(context.params)
    level = context.lifespan_context.memory.log_level

    def wants(name: str) -> bool:
        return sdk.wants_log(context.protocol_version, meta, level, name)

    if token is None and not wants("emergency"):
        return None
    return Reports(token, wants)


def _notifier(context: Context) -> Callable[[str, JsonObject], Any]:
    async def notify(method: str, params: JsonObject) -> None:
        await sdk.notify(context, method, params)

    return notify
