"""The routes of the REST API in one list. Quart routes by it, and the OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from proxy.serving.detached import DetachedTasks
from proxy.serving.gateway import Gateway
from proxy.serving.rest.approvals import approvals, decide, resume
from proxy.serving.rest.catalog import connections, explain, tool, tools
from proxy.serving.rest.executions import (
    LONGEST_KEY,
    STATUSES,
    ExecuteHandler,
    cancel,
    execution,
    executions,
)
from proxy.serving.rest.request import ApiRequest, ApiResponse
from proxy.serving.rest.sign_ins import ask_device, begin, begin_device, complete, end, sign_ins
from proxy.serving.rest.workspaces import (
    await_server_sign_in,
    begin_server_sign_in,
    complete_server_sign_in,
    connect_server,
    disconnect_server,
    end_server_sign_in,
    export_servers,
    register_server,
    remove_server,
    server_statuses,
)

Handler = Callable[[Gateway, ApiRequest], Awaitable[ApiResponse]]
ParameterSchema = Mapping[str, Any]
_NO_PARAMETERS: Final[Mapping[str, ParameterSchema]] = MappingProxyType({})

OPEN_PATHS: Final = frozenset({"/api/health", "/api/openapi.json"})
"""What is answered without a credential: health, and the OpenAPI document."""

_TEXT: Final[ParameterSchema] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Route:
    """`path` has its parameters in braces. `query` and `headers` are schemas by name, `required` names of `query`;
    `body` and `answer` are names of schemas of the document. `errors` come on top of those that every route has. A
    route that `begins_work` is refused by a server that is shutting down."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    handler: Handler
    answer: str
    query: Mapping[str, ParameterSchema] = field(default_factory=lambda: _NO_PARAMETERS)
    required: tuple[str, ...] = ()
    headers: Mapping[str, ParameterSchema] = field(default_factory=lambda: _NO_PARAMETERS)
    body: str | None = None
    errors: tuple[int, ...] = ()
    begins_work: bool = False


def routes(detached: DetachedTasks) -> tuple[Route, ...]:
    """Every route but health and the document itself."""
    return (
        *_executions(detached),
        *_execution_actions(),
        *_approvals(),
        *_catalog(),
        *_sign_ins(),
        *_servers(),
        *_server_sign_ins(),
    )


def _executions(detached: DetachedTasks) -> tuple[Route, ...]:
    return (
        Route(
            "POST",
            "/api/executions",
            "execute",
            "Run code. The same Idempotency-Key and code give the same execution; concurrent requests join.",
            ExecuteHandler(detached),
            "ExecutionResult",
            headers={"Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}},
            body="ExecuteRequest",
            begins_work=True,
        ),
        Route(
            "GET",
            "/api/executions",
            "listExecutions",
            "Executions, newest first: your own, or all of the workspace for approvers.",
            executions,
            "ExecutionPage",
            query={
                "status": {"type": "string", "enum": list(STATUSES)},
                "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
                "cursor": _TEXT,
            },
        ),
        Route(
            "GET",
            "/api/executions/{executionId}",
            "getExecution",
            "One execution: what waits, what was decided, the calls it made, its result.",
            execution,
            "Execution",
            errors=(404,),
        ),
    )


def _execution_actions() -> tuple[Route, ...]:
    return (
        Route(
            "POST",
            "/api/executions/{executionId}/resume",
            "resumeExecution",
            "Decide what waits (or, without an action, nothing), go on, and answer the next result.",
            resume,
            "ExecutionResult",
            body="ResumeRequest",
            errors=(404, 409, 410),
            begins_work=True,
        ),
        Route(
            "POST",
            "/api/executions/{executionId}/decide",
            "decideExecution",
            "Record a decision without waiting for what comes of it.",
            decide,
            "Decided",
            body="DecideRequest",
            errors=(404, 409, 410),
        ),
        Route(
            "POST",
            "/api/executions/{executionId}/cancel",
            "cancelExecution",
            "End an execution. Calls that were sent stay sent.",
            cancel,
            "Canceled",
            errors=(404, 409),
        ),
    )


def _approvals() -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/api/approvals",
            "listApprovals",
            "Every question that waits and that you may see, oldest first.",
            approvals,
            "ApprovalList",
        ),
        Route(
            "GET",
            "/api/mcp-sessions/{sessionId}/executions/{executionId}",
            "getSessionExecution",
            "One execution of an MCP session.",
            execution,
            "Execution",
            errors=(404,),
        ),
        Route(
            "POST",
            "/api/mcp-sessions/{sessionId}/executions/{executionId}/resume",
            "decideSessionExecution",
            "Record a decision about an execution of an MCP session; its client, which waits, goes on.",
            decide,
            "Decided",
            body="DecideRequest",
            errors=(404, 409, 410),
        ),
    )


def _catalog() -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/api/tools",
            "listTools",
            "The tools you may use, in order, or those that match a query, best first.",
            tools,
            "ToolPage",
            query={
                "query": _TEXT,
                "namespace": _TEXT,
                "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
                "offset": {"type": "integer", "minimum": 0, "default": 0},
                "includeSchemas": {"type": "boolean", "default": False},
            },
        ),
        Route(
            "GET",
            "/api/tools/{address}",
            "getTool",
            "One tool: description, TypeScript types, what policy says.",
            tool,
            "Tool",
            errors=(404, 409),
        ),
        Route(
            "GET",
            "/api/connections",
            "listConnections",
            "Every connection with its status and number of tools.",
            connections,
            "ConnectionList",
            query={"integration": _TEXT},
        ),
        Route(
            "GET",
            "/api/policies/explain",
            "explainPolicy",
            "What would happen to a call of one tool by you, and which rule decides.",
            explain,
            "Explanation",
            query={
                "tool": _TEXT,
                "arguments": {"type": "string", "description": "The call's arguments as a JSON object."},
            },
            required=("tool",),
            errors=(404, 409),
        ),
    )


def _sign_ins() -> tuple[Route, ...]:
    one = "/api/connections/{connection}/sign-in"
    return (
        Route(
            "GET",
            "/api/sign-ins",
            "listSignIns",
            "Every connection that people sign in to, with your own status.",
            sign_ins,
            "SignInList",
        ),
        Route(
            "POST",
            one,
            "beginSignIn",
            "Begin to sign in to a connection: open the answer's URL in a browser.",
            begin,
            "BegunSignIn",
            body="SignInRequest",
            errors=(404, 409, 502),
        ),
        Route(
            "POST",
            f"{one}/complete",
            "completeSignIn",
            "Finish your own sign-in with what the browser brought back.",
            complete,
            "SignedIn",
            body="SignInCallback",
            errors=(404, 409),
        ),
        Route(
            "POST",
            f"{one}/device",
            "beginDeviceSignIn",
            "Begin to sign in on another device (RFC 8628): show the answer's page and code to a person.",
            begin_device,
            "BegunDeviceSignIn",
            errors=(404, 409, 502),
        ),
        Route(
            "POST",
            f"{one}/device/ask",
            "askDeviceSignIn",
            "Whether a person has entered the code of your own sign-in; ask again after `intervalMs`.",
            ask_device,
            "DeviceSignInStanding",
            body="DeviceSignInQuestion",
            errors=(404, 409),
        ),
        Route(
            "POST",
            "/api/connections/{connection}/sign-out",
            "signOut",
            "Forget your token, here and at the authorization server.",
            end,
            "SignedOut",
            errors=(404,),
        ),
    )


_SERVERS_PATH: Final = "/api/v1/workspaces/{workspaceID}/mcp"
_SERVER_PATH: Final = f"{_SERVERS_PATH}/{{name}}"


def _servers() -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            _SERVERS_PATH,
            "listServers",
            "Every MCP server of the workspace with its status.",
            server_statuses,
            "ServerStatuses",
        ),
        Route(
            "POST",
            _SERVERS_PATH,
            "registerServer",
            "Register an MCP server beside those of the config's files; every server with its status.",
            register_server,
            "ServerStatuses",
            body="ServerRegistration",
            errors=(409,),
        ),
        Route(
            "DELETE",
            _SERVER_PATH,
            "removeServer",
            "Forget a registered server and its token.",
            remove_server,
            "Success",
            errors=(404, 409),
        ),
        Route(
            "POST",
            f"{_SERVER_PATH}/connect",
            "connectServer",
            "Connect to a server; true, or the status that it has instead.",
            connect_server,
            "Connected",
            errors=(404, 409),
        ),
        Route(
            "POST",
            f"{_SERVER_PATH}/disconnect",
            "disconnectServer",
            "Disconnect a server in this workspace, on all replicas.",
            disconnect_server,
            "True",
            errors=(404, 409),
        ),
        Route(
            "GET",
            "/api/overlay",
            "exportServers",
            "What is registered, as YAML that can be committed, without any secret.",
            export_servers,
            "ExportedServers",
        ),
    )


def _server_sign_ins() -> tuple[Route, ...]:
    one = f"{_SERVER_PATH}/auth"
    return (
        Route(
            "POST",
            one,
            "beginServerSignIn",
            "Begin to sign in to a server: open the answer's URL in a browser.",
            begin_server_sign_in,
            "ServerSignIn",
            errors=(404, 409, 502),
        ),
        Route(
            "DELETE",
            one,
            "endServerSignIn",
            "Forget the token of a server; it stays registered.",
            end_server_sign_in,
            "Success",
            errors=(404, 409),
        ),
        Route(
            "POST",
            f"{one}/authenticate",
            "awaitServerSignIn",
            "Join the sign-in that was begun, or begin one, and wait up to 5 minutes for its end.",
            await_server_sign_in,
            "ServerStatus",
            errors=(404, 409, 502),
        ),
        Route(
            "POST",
            f"{one}/callback",
            "completeServerSignIn",
            "Finish the sign-in to a server with the code that the browser brought back.",
            complete_server_sign_in,
            "ServerStatus",
            body="ServerSignInCallback",
            errors=(404, 409),
        ),
    )
