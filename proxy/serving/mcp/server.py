"""The MCP server: its tools described anew on every `tools/list`, over the SDK's low-level `Server`.

`build_server` makes one server per start (the SDK's lifespans and run loops are once-only). Its handlers hold no
caller: who calls comes with each request as the `ClientContext` in `lifespan_context`. What the tools do is in
`tool_calls`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError

from integrations.base import JsonObject
from integrations.lossless import object_from, typescript
from proxy.config import ElicitationMode
from proxy.executions import OUTPUT_SCHEMA
from proxy.serving.gateway import Gateway
from proxy.serving.http.errors import FAULTS, RequestRefusal, internal_error
from proxy.serving.mcp import sdk, tools
from proxy.serving.mcp.client import ClientContext, McpContext
from proxy.serving.mcp.debug import SeenClients
from proxy.serving.mcp.modern import ChangeStreams
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.sessions import STORE_DOWN
from proxy.serving.mcp.tool_calls import ServerOptions, ToolCalls, text_error
from proxy.state import StateUnavailable

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
    gateway: Gateway,
    changes: ChangeStreams,
    pauses: Pauses,
    options: ServerOptions,
    client: ClientContext | None = None,
    handlers: Handlers | None = None,
) -> Server[Any]:
    """`client` is the one caller of a stdio server; over HTTP every request brings its own. `handlers` are made here
    where nobody else calls them."""
    handlers = handlers or Handlers(gateway, pauses, options)

    @asynccontextmanager
    async def lifespan(_: Server[Any]) -> AsyncIterator[ClientContext | None]:
        yield client

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
    seen = SeenClients()

    async def told(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        # At `initialize` a connection does not know its client yet.
        if ctx.method != "initialize" and ctx.lifespan_context is not None:
            seen.see(ctx)
        return await call_next(ctx)

    server.middleware.append(told)
    server.middleware.append(_with_object_arguments)
    # The audience is ours and not the server's name, which nothing keeps the same on all replicas.
    security = RequestStateSecurity(codec=pauses.seals, ttl=_STATE_SECONDS, bind_principal=_caller)
    server.middleware.append(RequestStateBoundary(security, default_audience="executor"))
    return server


async def _with_object_arguments(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Some clients pass on the model's arguments as the text that it wrote. The text of an object is that object."""
    params = ctx.params
    given = params.get("arguments") if params is not None and ctx.method == "tools/call" else None
    if given is None or isinstance(given, dict):
        return await call_next(ctx)
    arguments = object_from(given)
    if not isinstance(arguments, dict):
        what = "a string that holds no JSON object" if isinstance(given, str) else typescript(given)
        message = f'`arguments` is {what}; send an object such as {{"code": "return 1"}}.'
        raise MCPError(types.INVALID_PARAMS, message)
    return await call_next(replace(ctx, params={**(params or {}), "arguments": arguments}))


def _caller(context: ServerRequestContext[Any, Any]) -> str:
    principal = context.lifespan_context.principal
    return f"{principal.workspace_id}\n{principal.account_id}"


def instructions(gateway: Gateway, client: ClientContext, mode: ElicitationMode = "model") -> str:
    """The server's `instructions` for one caller, made anew at each handshake or discovery: how to begin, and what the
    description of `execute`, which says who is asked in this mode, had no room for."""
    rule = tools.PAUSE_RULES[mode]
    _, revision = gateway.description(client.principal, rule)
    text = (
        "This server runs JavaScript against the integrations of one workspace. Call `execute`; its "
        "description lists what is connected. Inside the code, `tools.search` and `tools.describe.tool` "
        f"always show what is current. Workspace {client.principal.workspace_id}, catalog revision {revision}."
    )
    more = gateway.continuation(client.principal, rule)
    return f"{text}\n\n{more}" if more else text


class Handlers:
    """The request handlers. A defect is logged under eight hex digits, and only these leave."""

    def __init__(self, gateway: Gateway, pauses: Pauses, options: ServerOptions) -> None:
        self._gateway = gateway
        self._tool_calls = ToolCalls(gateway, pauses, options)
        self._schemas = {"execute": tools.execute_schema(options.runtimes), "resume": tools.resume_schema()}

    def input_schema(self, name: str) -> JsonObject | None:
        return self._schemas.get(name)

    async def list_tools(
        self, context: McpContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        client = context.lifespan_context
        with _only_mcp_errors():
            path = self._tool_calls.elicitation_path(context)
            text, revision = self._gateway.description(client.principal, tools.PAUSE_RULES[path.mode])
        client.state.revision = revision
        if client.session_id is None:
            # Without sessions this is how a conversation begins.
            client.state.notes.clear()
        resume = [] if path.mode == "native" else [_resume_tool(decides=path.mode == "model")]
        return types.ListToolsResult(tools=[self._execute_tool(text), *resume])

    async def call_tool(self, context: McpContext, params: types.CallToolRequestParams) -> JsonObject:
        calls = {"execute": self._tool_calls.execute, "resume": self._tool_calls.resume}
        if params.name not in calls:
            raise MCPError(
                types.INVALID_PARAMS, f"Unknown tool: {params.name[:64]}. The tools are execute and resume."
            )
        with _only_mcp_errors():
            try:
                if params.request_state is not None or params.input_responses:
                    return await self._tool_calls.retried(context, params.request_state)
                return await calls[params.name](context, params.arguments or {})
            except tools.BadArgument as error:
                return text_error(f"Invalid arguments for `{params.name}`: {error}")

    def asks_nobody(self, client: ClientContext) -> bool:
        """Whether no question goes through this client; also no when that is for `call_tool` to refuse."""
        try:
            return self._tool_calls.asks_nobody(client)
        except RequestRefusal:
            return False

    async def execute_plainly(self, client: ClientContext, arguments: JsonObject) -> JsonObject:
        """`call_tool` for `execute`, where no question and no report goes to the client."""
        with _only_mcp_errors():
            try:
                return await self._tool_calls.execute_plainly(client, arguments)
            except tools.BadArgument as error:
                return text_error(f"Invalid arguments for `execute`: {error}")

    async def discover(self, context: McpContext, params: types.RequestParams | None) -> types.DiscoverResult:
        server_capabilities = types.ServerCapabilities(
            tools=types.ToolsCapability(list_changed=True), logging=types.LoggingCapability()
        )
        with _only_mcp_errors():
            mode = self._tool_calls.elicitation_path(context).mode
            text = instructions(self._gateway, context.lifespan_context, mode)
        return types.DiscoverResult(
            supported_versions=list(sdk.MODERN_VERSIONS), capabilities=server_capabilities, instructions=text
        )

    async def set_level(self, context: McpContext, params: types.SetLevelRequestParams) -> types.EmptyResult:
        client = context.lifespan_context
        client.state.log_level = params.level
        with _only_mcp_errors():
            await client.save()
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
def _only_mcp_errors() -> Iterator[None]:
    """A handler lets nothing but `MCPError` out: the SDK would show the text of anything else to some clients."""
    try:
        yield
    except MCPError:
        raise
    except RequestRefusal as refusal:
        raise MCPError(refusal.fault.code, refusal.message, refusal.data) from None
    except StateUnavailable:
        raise MCPError(FAULTS["unavailable"].code, STORE_DOWN) from None
    except Exception as error:
        defect = internal_error(error)
        raise MCPError(defect.fault.code, defect.message) from None
