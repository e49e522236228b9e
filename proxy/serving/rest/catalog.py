"""Tools, connections and decisions as the caller would get them, over REST: the same views as the system tools."""

from __future__ import annotations

from typing import Any

import orjson

from integrations.base import Failure
from proxy.calls import WrongArgument
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import Answer, Call, JsonObject, Problem, wrong


async def tools(gateway: Gateway, call: Call) -> Answer:
    """A page of tools in order, or of matches when there is a query."""
    call.only("query", "namespace", "limit", "offset", "includeSchemas")
    return Answer(
        await _looked_up(
            gateway,
            call,
            "catalog.tools",
            {
                "query": call.query.get("query", ""),
                "namespace": call.query.get("namespace", ""),
                "limit": call.number("limit", 50, 1, 200),
                "offset": call.number("offset", 0, 0, 999_999_999),
                "includeSchemas": call.flag("includeSchemas"),
            },
        )
    )


async def tool(gateway: Gateway, call: Call) -> Answer:
    """One tool: its description, TypeScript types, and what policy says."""
    call.only()
    return Answer(await _looked_up(gateway, call, "describe.tool", {"path": call.path["address"]}))


async def connections(gateway: Gateway, call: Call) -> Answer:
    """Every connection with its status."""
    call.only("integration")
    wanted = call.query.get("integration", "")
    found = await _looked_up(gateway, call, "executor.connections.list", {"integration": wanted})
    return Answer({"items": found})


async def explain(gateway: Gateway, call: Call) -> Answer:
    """What would happen to a call of one tool by this caller, and why."""
    call.only("tool", "arguments")
    address = call.query.get("tool")
    if not address:
        raise wrong("`tool` is required: the address of a tool.")
    found = gateway.explain(call.principal, address, _arguments(call.query.get("arguments")))
    if isinstance(found, Failure):
        raise _problem(found)
    return Answer(found)


def _arguments(text: str | None) -> JsonObject | None:
    if text is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise wrong("`arguments` must be a JSON object.")
    return value


async def _looked_up(gateway: Gateway, call: Call, name: str, arguments: JsonObject) -> Any:
    try:
        found = await gateway.look_up(name, arguments, call.principal)
    except WrongArgument as error:
        raise wrong(str(error)) from None
    if isinstance(found, Failure):
        raise _problem(found)
    return found.value


def _problem(failure: Failure) -> Problem:
    if failure.code == "tool_ambiguous":
        return Problem(409, "tool_ambiguous", failure.message)
    return Problem(404, "not_found", failure.message)
