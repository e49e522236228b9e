"""Tools, connections and what policy says about a call, over REST: the same as the system tools give agent code."""

from __future__ import annotations

from typing import Any

from integrations.base import Failure, JsonObject
from integrations.json_text import read_json
from proxy.calls import WrongArgument
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import ApiProblem, ApiRequest, ApiResponse, invalid_argument


async def tools(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """A page of tools in order, or of matches when there is a query."""
    request.check_query("query", "namespace", "limit", "offset", "includeSchemas")
    return ApiResponse(
        await _look_up(
            gateway,
            request,
            "catalog.tools",
            {
                "query": request.query.get("query", ""),
                "namespace": request.query.get("namespace", ""),
                "limit": request.integer("limit", 50, 1, 200),
                "offset": request.integer("offset", 0, 0, 999_999_999),
                "includeSchemas": request.boolean("includeSchemas"),
            },
        )
    )


async def tool(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """One tool: its description, TypeScript types, and what policy says."""
    request.check_query()
    return ApiResponse(await _look_up(gateway, request, "describe.tool", {"path": request.path["address"]}))


async def connections(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Every connection with its status."""
    request.check_query("integration")
    wanted = request.query.get("integration", "")
    found = await _look_up(gateway, request, "executor.connections.list", {"integration": wanted})
    return ApiResponse({"items": found})


async def explain(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """What would happen to a call of one tool by this caller, and why."""
    request.check_query("tool", "arguments")
    address = request.query.get("tool")
    if not address:
        raise invalid_argument("`tool` is required: the address of a tool.")
    found = gateway.explain(request.principal, address, _arguments(request.query.get("arguments")))
    if isinstance(found, Failure):
        raise _problem(found)
    return ApiResponse(found)


def _arguments(text: str | None) -> JsonObject | None:
    if text is None:
        return None
    try:
        value = read_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise invalid_argument("`arguments` must be a JSON object.")
    return value


async def _look_up(gateway: Gateway, request: ApiRequest, name: str, arguments: JsonObject) -> Any:
    try:
        found = await gateway.look_up(name, arguments, request.principal)
    except WrongArgument as error:
        raise invalid_argument(str(error)) from None
    if isinstance(found, Failure):
        raise _problem(found)
    return found.value


def _problem(failure: Failure) -> ApiProblem:
    if failure.code == "tool_ambiguous":
        return ApiProblem(409, "tool_ambiguous", failure.message)
    return ApiProblem(404, "not_found", failure.message)
