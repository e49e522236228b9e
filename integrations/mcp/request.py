"""One request on an open session: the SDK sends it, and the answer comes back as plain JSON.

`ClientSession.send_request` is used with a model that keeps the answer as it is. The SDK has already validated it
against the negotiated version of the protocol. The output schema of a tool is not enforced: a result that does not
match it still shows that the call took place.
"""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError as SdkError
from pydantic import RootModel, ValidationError

from integrations.base import JsonObject, Result
from integrations.conversation import SILENT, Conversation, InputNeeded, OnProgress, Reply
from integrations.mcp.errors import McpError
from integrations.mcp.messages import hidden_if_needed, hide, restore, restore_if_needed
from integrations.mcp.results import interpret, names_unknown_tool, protocol_error, unknown_tool
from integrations.mcp.session import McpSession, connection_error, elicitation_of
from integrations.mcp.tool_cache import relist
from integrations.mcp.toolset import RequestPlan

_TOOL_ERRORS = (types.INVALID_PARAMS, types.METHOD_NOT_FOUND)
# The pause before a request is repeated for a server that asked for that without asking for input.
_REPEAT_SECONDS = 0.1


class _Answer(RootModel[dict[str, Any]]):
    """Any JSON object."""


async def send_request(
    session: McpSession,
    plan: RequestPlan,
    arguments: JsonObject,
    conversation: Conversation = SILENT,
    rounds: int = 10,
) -> Result | InputNeeded:
    """Send and interpret. Raises `McpError` when there is no answer because of the connection, not the server.

    `rounds`: how often the server may ask for input before the call fails.
    """
    if session.error is not None:
        raise McpError("closed", session.error.message)
    try:
        answer = await _with_fresh_schema(session, plan, arguments, conversation, rounds)
    except SdkError as error:
        lost = connection_error(error, session)
        if lost is not None:
            raise lost from None
        if error.code in _TOOL_ERRORS and names_unknown_tool(error.message, plan.name):
            return unknown_tool(plan.name)
        return protocol_error(error.code, restore(error.message), restore(error.data))
    except ValidationError as error:
        raise McpError(
            "protocol", f"the server's answer breaks the protocol: {_places(error)}", sent=True
        ) from None
    if isinstance(answer, InputNeeded):
        return answer
    return interpret(plan.method, restore_if_needed(answer), plan.name)


async def _with_fresh_schema(
    session: McpSession, plan: RequestPlan, arguments: JsonObject, conversation: Conversation, rounds: int
) -> JsonObject | InputNeeded:
    """A server of the 2026 era refuses a call whose headers, which repeat arguments, do not match the tool's present
    schema. Then the tools are listed and the call is sent once more, as the specification asks.
    """
    try:
        return await _final_answer(session, plan, arguments, conversation, rounds)
    except SdkError as error:
        if error.code != types.HEADER_MISMATCH or not session.modern:
            raise
    await relist(session, plan.name)
    return await _final_answer(session, plan, arguments, conversation, rounds)


async def _final_answer(
    session: McpSession, plan: RequestPlan, arguments: JsonObject, conversation: Conversation, rounds: int
) -> JsonObject | InputNeeded:
    """The final answer. A server of the 2026 era may first ask for input (specification 2026-07-28, multi round-trip
    requests). Questions for the user end this call with `InputNeeded` if somebody can be asked. Any other request goes
    to the callbacks of the session, and the call is sent again with their responses.
    """
    reply = conversation.reply
    responses = _responses(reply) if reply is not None else None
    state = reply.state if reply is not None else None
    for number in range((reply.rounds if reply is not None else 0) + 1, rounds + 1):
        answer = await _once(session, plan, arguments, responses, state, conversation.progress)
        if answer.get("resultType") != "input_required":
            return answer
        asked = types.InputRequiredResult.model_validate(answer, by_name=False)
        state = asked.request_state
        if conversation.ask is not None and (needed := _needed(asked, number)) is not None:
            return needed
        responses = {
            key: await _respond(session, key, one) for key, one in (asked.input_requests or {}).items()
        } or None
        if responses is None:
            await asyncio.sleep(_REPEAT_SECONDS)
    raise McpError("protocol", f"the server asked for more input {rounds} times", sent=True)


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
        key: types.ElicitResult(action=one.action, content=hidden_if_needed(one.content))
        for key, one in reply.answers.items()
    } or None


async def _respond(session: McpSession, key: str, request: types.InputRequest) -> types.InputResponse:
    meta = request.params.meta if request.params else None
    context = ClientRequestContext(session=session.sdk_session, request_id=key, meta=meta)
    answer = await session.sdk_session.dispatch_input_request(context, request)
    if isinstance(answer, types.ErrorData):
        raise SdkError.from_error_data(answer)
    return answer


async def _once(
    session: McpSession,
    plan: RequestPlan,
    arguments: JsonObject,
    responses: types.InputResponses | None,
    state: str | None,
    on_progress: OnProgress | None,
) -> JsonObject:
    request = _request(plan, arguments, responses, state)
    progress = _progress(on_progress) if on_progress is not None else None
    answer = await session.sdk_session.send_request(request, _Answer, progress_callback=progress)
    return answer.root


def _progress(report: OnProgress) -> Any:
    async def pass_on(progress: float, total: float | None, message: str | None) -> None:
        report(progress, total, restore(message))

    return pass_on


def _request(
    plan: RequestPlan, arguments: JsonObject, responses: types.InputResponses | None, state: str | None
) -> types.ClientRequest:
    """The typed request of a plan. Only the three methods that may ask for input take responses and state."""
    again: Any = (
        {} if responses is None and state is None else {"input_responses": responses, "request_state": state}
    )
    arguments = hidden_if_needed(arguments)
    if plan.method == "tools/call":
        return types.CallToolRequest(
            params=types.CallToolRequestParams(name=hide(plan.name), arguments=arguments, **again)
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
