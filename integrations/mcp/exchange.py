"""One request on an open link: the SDK's session sends it, and the answer comes back as plain JSON.

`ClientSession.send_request` is used with a model that keeps the answer as it is: the SDK has already held it against
the schema of the negotiated version, and the output schema of a tool is not enforced here, because a result that does
not fit it still tells that the call took place.
"""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import RootModel, ValidationError

from integrations.base import JsonObject, Result
from integrations.conversation import SILENT, Conversation, InputNeeded, OnProgress, Reply
from integrations.mcp.link import Link, elicitation_of, trouble_of
from integrations.mcp.listing import relist
from integrations.mcp.results import interpret, names_unknown_tool, protocol_error, unknown_tool
from integrations.mcp.toolset import Plan
from integrations.mcp.trouble import Trouble

_TOOL_ERRORS = (types.INVALID_PARAMS, types.METHOD_NOT_FOUND)
# An empty round asks to come back later; this is how long later is.
_ROUND_SECONDS = 0.1


class _Answer(RootModel[dict[str, Any]]):
    """Any JSON object."""


async def exchange(
    link: Link, plan: Plan, arguments: JsonObject, conversation: Conversation = SILENT, rounds: int = 10
) -> Result | InputNeeded:
    """Send and interpret. Raises `Trouble` when the connection, not the server, is the reason for having no answer."""
    if link.trouble is not None:
        raise Trouble("closed", link.trouble.message)
    try:
        answer = await _matching(link, plan, arguments, conversation, rounds)
    except MCPError as error:
        trouble = trouble_of(error, link)
        if trouble is not None:
            raise trouble from None
        if error.code in _TOOL_ERRORS and names_unknown_tool(error.message, plan.name):
            return unknown_tool(plan.name)
        return protocol_error(error.code, error.message, error.data)
    except ValidationError as error:
        raise Trouble(
            "protocol", f"the server's answer breaks the protocol: {_places(error)}", sent=True
        ) from None
    return answer if isinstance(answer, InputNeeded) else interpret(plan.method, answer, plan.name)


async def _matching(
    link: Link, plan: Plan, arguments: JsonObject, conversation: Conversation, rounds: int
) -> JsonObject | InputNeeded:
    """A server of the 2026 era refuses a call whose mirrored headers do not fit the tool's present schema. The remedy
    of the specification: list the tools, and send once more.
    """
    try:
        return await _terminal(link, plan, arguments, conversation, rounds)
    except MCPError as error:
        if error.code != types.HEADER_MISMATCH or not link.modern:
            raise
    await relist(link, plan.name)
    return await _terminal(link, plan, arguments, conversation, rounds)


async def _terminal(
    link: Link, plan: Plan, arguments: JsonObject, conversation: Conversation, rounds: int
) -> JsonObject | InputNeeded:
    """The final answer. A server of the 2026 era may first ask for input (specification 2026-07-28, multi round-trip
    requests). Questions for the user end the call when somebody can be asked; anything else goes through the session's
    callbacks, and the request is made again with their answers.
    """
    reply = conversation.reply
    responses = _responses(reply) if reply is not None else None
    state = reply.state if reply is not None else None
    for number in range((reply.rounds if reply is not None else 0) + 1, rounds + 1):
        answer = await _once(link, plan, arguments, responses, state, conversation.progress)
        if answer.get("resultType") != "input_required":
            return answer
        asked = types.InputRequiredResult.model_validate(answer, by_name=False)
        state = asked.request_state
        if conversation.ask is not None and (needed := _needed(asked, number)) is not None:
            return needed
        responses = {
            key: await _respond(link, key, one) for key, one in (asked.input_requests or {}).items()
        } or None
        if responses is None:
            await asyncio.sleep(_ROUND_SECONDS)
    raise Trouble("protocol", f"the server asked for more input {rounds} times", sent=True)


def _needed(asked: types.InputRequiredResult, number: int) -> InputNeeded | None:
    """The questions, when there are any and all of them are for the user."""
    requests = asked.input_requests or {}
    questions = {
        key: elicitation_of(one.params)
        for key, one in requests.items()
        if isinstance(one, types.ElicitRequest)
    }
    if not questions or len(questions) < len(requests):
        return None
    return InputNeeded(questions, asked.request_state, number)


def _responses(reply: Reply) -> types.InputResponses | None:
    return {
        key: types.ElicitResult(action=one.action, content=one.content) for key, one in reply.answers.items()
    } or None


async def _respond(link: Link, key: str, request: types.InputRequest) -> types.InputResponse:
    meta = request.params.meta if request.params else None
    context = ClientRequestContext(session=link.session, request_id=key, meta=meta)
    answer = await link.session.dispatch_input_request(context, request)
    if isinstance(answer, types.ErrorData):
        raise MCPError.from_error_data(answer)
    return answer


async def _once(
    link: Link,
    plan: Plan,
    arguments: JsonObject,
    responses: types.InputResponses | None,
    state: str | None,
    on_progress: OnProgress | None,
) -> JsonObject:
    request = _request(plan, arguments, responses, state)
    progress = _progress(on_progress) if on_progress is not None else None
    answer = await link.session.send_request(request, _Answer, progress_callback=progress)
    return answer.root


def _progress(report: OnProgress) -> Any:
    async def pass_on(progress: float, total: float | None, message: str | None) -> None:
        report(progress, total, message)

    return pass_on


def _request(
    plan: Plan, arguments: JsonObject, responses: types.InputResponses | None, state: str | None
) -> types.ClientRequest:
    """The typed request of a plan. Responses and state exist only for the three methods that may ask for input."""
    again: Any = (
        {} if responses is None and state is None else {"input_responses": responses, "request_state": state}
    )
    if plan.method == "tools/call":
        return types.CallToolRequest(
            params=types.CallToolRequestParams(name=plan.name, arguments=arguments, **again)
        )
    if plan.method == "resources/read":
        return types.ReadResourceRequest(
            params=types.ReadResourceRequestParams(uri=arguments["uri"], **again)
        )
    if plan.method == "prompts/get":
        params = types.GetPromptRequestParams(
            name=arguments["name"], arguments=arguments.get("arguments"), **again
        )
        return types.GetPromptRequest(params=params)
    page = types.PaginatedRequestParams(cursor=arguments.get("cursor"))
    return (
        types.ListResourcesRequest(params=page)
        if plan.method == "resources/list"
        else types.ListPromptsRequest(params=page)
    )


def _places(error: ValidationError) -> str:
    shown = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
    return "; ".join(shown)[:300]
