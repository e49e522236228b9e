"""Every touch of a name of the MCP SDK that is not part of its documented surface (`mcp>=2.3,<2.4`).

Each function here has a test of its own, so that a new SDK version fails in one place and says where.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.connection import Connection, allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.server.models import InitializationOptions
from mcp.server.runner import ServerRunner, modern_error_data, serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
)
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.transport_context import TransportContext
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    HEADER_MISMATCH,
    PROTOCOL_VERSION_META_KEY,
    InitializeRequestParams,
)
from mcp_types import (
    SERVER_INFO_META_KEY as SERVER_INFO_META_KEY,
)
from mcp_types.methods import serialize_server_result
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS

from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome

Notify = Callable[[str, Mapping[str, Any] | None], Awaitable[None]]
Ask = Callable[[str | int, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Sends a request under this id to the client of the request that is being answered, and gives its result."""
MODERN_VERSIONS = tuple(MODERN_PROTOCOL_VERSIONS)
PLAIN_VERSIONS = frozenset({"2025-06-18", "2025-11-25", "2026-07-28"})
"""Those whose results of `tools/call` have the same members, but for `resultType` and the server's name."""
PLAIN_META_KEYS = frozenset({PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY})
"""What a request's `_meta` may hold that asks for nothing."""


async def _nowhere(method: str, params: Mapping[str, Any] | None) -> None:
    """The channel of a request that has none."""


@dataclass(slots=True)
class Channel:
    """The kernel's `DispatchContext`: notifications go to `send`, requests to `ask`; without one they are refused."""

    send: Notify
    request_id: str | int | None
    progress_token: str | int | None = None
    ask: Ask | None = None
    transport: TransportContext = field(
        default_factory=lambda: TransportContext(kind="streamable-http", can_send_request=False)
    )
    message_metadata: None = None
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    @property
    def can_send_request(self) -> bool:
        return self.ask is not None

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        identifier = (opts or {}).get("request_id")
        if self.ask is None or identifier is None:
            raise NoBackChannelError(method)
        return await self.ask(identifier, method, params or {})

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        await self.send(method, params)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self.progress_token is None:
            return
        params = {
            "progressToken": self.progress_token,
            "progress": progress,
            "total": total,
            "message": message,
        }
        await self.send("notifications/progress", {k: v for k, v in params.items() if v is not None})


def is_modern(headers: Mapping[str, str], call: JsonRpcMessage | None = None) -> bool:
    """Whether a request belongs to the 2026-07-28 era: its header names a version without a handshake, or its
    body carries the envelope and no header says otherwise."""
    version = headers.get("mcp-protocol-version")
    if version is not None:
        return version not in HANDSHAKE_PROTOCOL_VERSIONS
    meta = (call.params or {}).get("_meta") if call is not None else None
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


@dataclass(frozen=True, slots=True)
class RequestEnvelope:
    """What a 2026-07-28 request says about itself. `client` is the client's name, empty when not given."""

    version: str
    client_info: Any
    capabilities: Any

    @property
    def client(self) -> str:
        name = self.client_info.get("name") if isinstance(self.client_info, dict) else None
        return name if isinstance(name, str) else ""


def open_envelope(
    call: JsonRpcMessage, headers: Mapping[str, str], repeated: frozenset[str]
) -> RequestEnvelope | JsonRpcOutcome:
    """The envelope of a request, or the error it is answered with (-32602, -32020, -32022)."""
    twice = find_duplicated_routing_header([(name, "") for name in (*repeated, *repeated)])
    if twice is not None:
        return JsonRpcOutcome(None, HEADER_MISMATCH, f"{twice} header appears more than once")
    verdict = classify_inbound_request(call.raw, headers=headers)
    if isinstance(verdict, InboundLadderRejection):
        return JsonRpcOutcome(None, verdict.code, verdict.message, verdict.data)
    return RequestEnvelope(verdict.protocol_version, verdict.client_info, verdict.client_capabilities)


def refuse_version(headers: Mapping[str, str]) -> JsonRpcOutcome | None:
    """For 2026-07-28 notifications, whose only checked header is the version."""
    rejection = unsupported_protocol_version_rejection(
        headers.get("mcp-protocol-version", LATEST_MODERN_VERSION)
    )
    return JsonRpcOutcome(None, rejection.code, rejection.message, rejection.data) if rejection else None


async def serve_modern(
    server: Server[Any], call: JsonRpcMessage, envelope: RequestEnvelope, notify: Notify, client: Any
) -> JsonRpcOutcome:
    """Run one self-contained request. Never raises but for cancellation."""
    connection = Connection.from_envelope(envelope.version, envelope.client_info, envelope.capabilities)
    channel = Channel(notify, call.id, progress_token_from_params(call.params))
    try:
        result = await serve_one(
            server, channel, call.method, call.params, connection=connection, lifespan_state=client
        )
    except Exception as error:  # the kernel's boundary: everything becomes a JSON-RPC error
        return failed(error)
    return JsonRpcOutcome(result)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What `initialize` settled: the negotiated version and the client's own parameters."""

    version: str
    client_params: Any


async def serve_initialize(
    server: Server[Any], call: JsonRpcMessage, options: InitializationOptions, client: Any
) -> tuple[JsonRpcOutcome, Handshake | None]:
    """Run the handshake. The second value is None when it failed."""
    channel = Channel(_nowhere, call.id)
    connection = Connection.for_loop(channel)
    runner = ServerRunner(server, connection, client, init_options=options)
    try:
        result = await runner.on_request(channel, call.method, call.params)
    except Exception as error:  # see serve_modern
        return failed(error), None
    return JsonRpcOutcome(result), Handshake(connection.protocol_version, connection.client_params)


async def serve_legacy(
    server: Server[Any],
    call: JsonRpcMessage,
    handshake: Handshake,
    notify: Notify,
    client: Any,
    ask: Ask | None = None,
) -> JsonRpcOutcome:
    """Run one request of a session whose handshake is known from its record. Never raises but for cancellation."""
    channel = Channel(notify, call.id, progress_token_from_params(call.params), ask)
    connection = Connection(
        channel, protocol_version=handshake.version, client_params=handshake.client_params
    )
    try:
        result = await ServerRunner(server, connection, client).on_request(channel, call.method, call.params)
    except Exception as error:  # see serve_modern
        return failed(error)
    return JsonRpcOutcome(result)


def packed_handshake(handshake: Handshake) -> dict[str, Any]:
    """As JSON, for a session's record."""
    params = handshake.client_params
    dumped = params.model_dump(by_alias=True, mode="json", exclude_none=True) if params is not None else None
    return {"version": handshake.version, "client": dumped}


def unpacked_handshake(packed: Mapping[str, Any]) -> Handshake:
    """The opposite of `packed_handshake`. Raises `ValueError` for what it did not make."""
    client = packed["client"]
    params = (
        InitializeRequestParams.model_validate(client, by_name=False, by_alias=True)
        if client is not None
        else None
    )
    return Handshake(packed["version"], params)


def failed(error: Exception) -> JsonRpcOutcome:
    """What the kernel makes of an error that a handler raised."""
    data = modern_error_data(error)
    return JsonRpcOutcome(None, data.code, data.message, data.data)


def shaped_result(method: str, version: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result as this version has it: checked, and without what it does not know."""
    return serialize_server_result(method, version, result)


def server_info(server: Server[Any]) -> Mapping[str, Any]:
    """What the kernel puts on each 2026-07-28 result about the server."""
    return server.server_info_stamp


def modern_status(code: int) -> int:
    """HTTP status of a 2026-07-28 error answer (the specification's table; 200 for what it leaves open)."""
    return ERROR_CODE_HTTP_STATUS.get(code, 200)


def wants_log(version: str, meta: Any, session_level: str | None, level: str) -> bool:
    """Whether the client of this request asked for log messages of this level: 2026-07-28 per request in
    `_meta`, before that with `logging/setLevel` (and, not having asked, not at all)."""
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return level in allowed_log_levels(version, meta)
    if session_level is None:
        return False
    probe = {"io.modelcontextprotocol/logLevel": session_level}
    return level in allowed_log_levels(LATEST_MODERN_VERSION, probe)


def progress_token(params: Mapping[str, Any] | None) -> str | int | None:
    """`_meta.progressToken` of a request's raw parameters."""
    return progress_token_from_params(params)


async def notify(
    context: ServerRequestContext[Any, Any], method: str, params: Mapping[str, Any] | None
) -> None:
    """Send a notification on the stream of the request that is being handled. The typed public call builds
    and dumps a model for each line of agent output; the channel below it takes the message as it is."""
    channel = context.session._request_outbound
    try:
        await channel.notify(method, params)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


async def ask(
    context: ServerRequestContext[Any, Any], method: str, params: Mapping[str, Any], identifier: str
) -> dict[str, Any]:
    """Send a request under our own id on the stream of the request that is being handled, and give its raw result.
    The typed public calls let nobody choose the id. Raises `MCPError` when the client answers with an error or has no
    such channel; being cancelled tells the client that the answer is no longer wanted."""
    options: CallOptions = {"request_id": identifier}
    return await context.session._request_outbound.send_raw_request(method, params, options)
