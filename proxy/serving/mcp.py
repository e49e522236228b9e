"""The MCP server: its tools described anew on every `tools/list`, over the SDK's low-level `Server`.

`build_server` makes one server per start (the SDK's lifespans and run loops are once-only). Its handlers hold
no caller: who calls comes with each request as the `Peer` in `lifespan_context`. What the tools do is in `calling`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError

from proxy.catalog import PAUSE_RULE
from proxy.executions import OUTPUT_SCHEMA
from proxy.serving import sdk, tools
from proxy.serving.calling import Calling, ServerOptions, text_error
from proxy.serving.changes import Changes
from proxy.serving.errors import FAULTS, Refusal
from proxy.serving.gateway import Gateway
from proxy.serving.pausing import Pauses
from proxy.serving.peer import Peer
from proxy.serving.sessions import STORE_DOWN
from proxy.state import StateUnavailable

log = logging.getLogger(__name__)
Context = ServerRequestContext[Peer, Any]
JsonObject = dict[str, Any]

# Clients that cache by `ttlMs` and do not listen see a changed configuration after this time at the latest.
TTL_MS = 1000
# The state store says how long a pause lasts. What a client hands back only has to outlive that.
_STATE_SECONDS = 366 * 86_400.0
_ANNOTATIONS = types.ToolAnnotations(
    title="Run code against the connected integrations",
    read_only_hint=False,
    destructive_hint=True,
    idempotent_hint=False,
    open_world_hint=True,
)


def build_server(
    gateway: Gateway, changes: Changes, pauses: Pauses, options: ServerOptions, peer: Peer | None = None
) -> Server[Any]:
    """`peer` is the one caller of a stdio server; over HTTP every request brings its own."""
    handlers = Handlers(gateway, pauses, options)

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
    # The audience is ours and not the server's name, which nothing keeps the same on all replicas.
    security = RequestStateSecurity(codec=pauses.seals, ttl=_STATE_SECONDS, bind_principal=_caller)
    server.middleware.append(RequestStateBoundary(security, default_audience="executor"))
    return server


def _caller(context: ServerRequestContext[Any, Any]) -> str:
    principal = context.lifespan_context.principal
    return f"{principal.workspace_id}\n{principal.account_id}"


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

    def __init__(self, gateway: Gateway, pauses: Pauses, options: ServerOptions) -> None:
        self._gateway = gateway
        self._calling = Calling(gateway, pauses, options)
        self._schemas = {"execute": tools.execute_schema(options.runtimes), "resume": tools.resume_schema()}

    def input_schema(self, name: str) -> JsonObject | None:
        return self._schemas.get(name)

    async def list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        peer = context.lifespan_context
        with _no_defect_out():
            text, revision = self._gateway.description(peer.principal)
            way = self._calling.way(context)
        peer.memory.revision = revision
        described = text.replace(PAUSE_RULE, tools.PAUSE_RULES.get(way.mode, PAUSE_RULE))
        resume = [] if way.mode == "native" else [_resume_tool(decides=way.mode == "model")]
        return types.ListToolsResult(tools=[self._execute_tool(described), *resume])

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> JsonObject:
        calls = {"execute": self._calling.execute, "resume": self._calling.resume}
        if params.name not in calls:
            raise MCPError(
                types.INVALID_PARAMS, f"Unknown tool: {params.name[:64]}. The tools are execute and resume."
            )
        with _no_defect_out():
            try:
                if params.request_state is not None or params.input_responses:
                    return await self._calling.retried(context, params.request_state)
                return await calls[params.name](context, params.arguments or {})
            except tools.BadArgument as error:
                return text_error(f"Invalid arguments for `{params.name}`: {error}")

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
        peer = context.lifespan_context
        peer.memory.log_level = params.level
        with _no_defect_out():
            await peer.save()
        return types.EmptyResult()

    def _execute_tool(self, description: str) -> types.Tool:
        return types.Tool(
            name="execute",
            description=description,
            input_schema=self._schemas["execute"],
            output_schema=OUTPUT_SCHEMA,
            annotations=_ANNOTATIONS,
        )


def _resume_tool(*, decides: bool) -> types.Tool:
    return types.Tool(
        name="resume",
        description=tools.RESUME_DESCRIPTION if decides else tools.WAIT_DESCRIPTION,
        input_schema=tools.resume_schema(decides=decides),
    )


@contextmanager
def _no_defect_out() -> Iterator[None]:
    """A handler lets nothing but `MCPError` out: the SDK would show the text of anything else to some
    clients."""
    try:
        yield
    except MCPError:
        raise
    except Refusal as refusal:
        raise MCPError(refusal.fault.code, refusal.message, refusal.data) from None
    except StateUnavailable:
        raise MCPError(FAULTS["unavailable"].code, STORE_DOWN) from None
    except Exception as error:
        reference = secrets.token_hex(4)
        log.error("internal error [%s]", reference, exc_info=error)
        raise MCPError(types.INTERNAL_ERROR, f"Internal error [{reference}]") from None
