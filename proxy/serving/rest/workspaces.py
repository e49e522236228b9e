"""The MCP servers of a workspace over REST: statuses, registration, connecting, signing in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from integrations.base import JsonObject
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import ApiProblem, ApiRequest, ApiResponse, invalid_argument

_LONGEST = 8192
_CALLBACK = ("code", "state", "iss")


async def server_statuses(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Every MCP server of the workspace with its status."""
    _check(request)
    return ApiResponse(await gateway.servers.statuses(request.principal))


async def register_server(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Register a server beside those of the files; the whole map."""
    _check(request)
    return ApiResponse(await gateway.servers.register(request.principal, request.body))


async def export_servers(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """What is registered in the caller's workspace, as YAML that can be committed."""
    request.check_query()
    return ApiResponse(await gateway.servers.exported(request.principal))


async def remove_server(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Forget a registered server."""
    return await _named(request, gateway.servers.remove)


async def connect_server(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Connect; true, or the status that it has instead."""
    return await _named(request, gateway.servers.connect)


async def disconnect_server(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Disconnect in this workspace, on all replicas."""
    return await _named(request, gateway.servers.disconnect)


async def begin_server_sign_in(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Begin to sign in; the caller opens the answer's `authorizationUrl` in a browser."""
    return await _named(request, gateway.servers.begin_sign_in)


async def await_server_sign_in(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Wait until somebody has signed in, at most five minutes; the status."""
    return await _named(request, gateway.servers.await_sign_in)


async def complete_server_sign_in(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Finish a sign-in with the code that the browser brought back."""
    _check(request)
    parameters = _callback(request.body)
    name = request.path["name"]
    return ApiResponse(await gateway.servers.complete_sign_in(request.principal, name, parameters))


async def end_server_sign_in(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Forget the token of a server."""
    return await _named(request, gateway.servers.end_sign_in)


async def _named(request: ApiRequest, action: Callable[..., Awaitable[Any]]) -> ApiResponse:
    """Do what takes a name and no body."""
    _check(request)
    if request.body:
        raise invalid_argument("This takes no body.")
    return ApiResponse(await action(request.principal, request.path["name"]))


def _check(request: ApiRequest) -> None:
    """The caller was admitted to the workspace of the path, or not at all."""
    request.check_query()
    if request.path["workspaceID"] != request.principal.workspace_id:
        raise ApiProblem(403, "forbidden", "No access to a workspace of this name.")


def _callback(body: JsonObject) -> dict[str, str]:
    for name, value in body.items():
        if name not in _CALLBACK:
            raise invalid_argument(f"Unknown property `{name[:64]}`; there are: {', '.join(_CALLBACK)}.")
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise invalid_argument(f"`{name}` must be a string of 1 to {_LONGEST} characters.")
    if "code" not in body:
        raise invalid_argument("`code` is required: the authorization code that the browser brought back.")
    return dict(body)
