"""Decisions over REST: the questions that wait, and what a person decides.

The account that runs the code cannot approve a question with `approver: human`, here as everywhere (T12), and decides
nothing here where the config or the execution's mode wants a person to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from integrations.base import JsonObject
from integrations.conversation import ElicitAction
from integrations.json_text import JsonTooDeep, is_too_deep, read_json
from proxy.executions import (
    REFUSALS,
    DecideOutcome,
    ExecutionResult,
    ExecutionView,
    InteractionDecision,
    Pending,
)
from proxy.executions.interactions import ELICIT_ACTIONS, DecisionRefusal, iso, overruled
from proxy.principal import Principal
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import ApiProblem, ApiRequest, ApiResponse, invalid_argument, not_found

MAX_WAIT_MS: Final = 240_000
_EVERY_QUESTION: Final = "*"
_REFUSED: Final[Mapping[DecisionRefusal, tuple[int, str]]] = {
    "not_found": (404, "not_found"),
    "forbidden": (403, "forbidden"),
    "expired": (410, "expired"),
    "already_decided": (409, "already_decided"),
    "needs_another_person": (403, "needs_another_person"),
    "needs_approval_page": (403, "needs_approval_page"),
    "needs_content": (422, "needs_content"),
    "wrong_content": (422, "wrong_content"),
}
_GONE: Final[Mapping[str, tuple[int, str]]] = {
    "execution_not_found": (404, "not_found"),
    "execution_forbidden": (403, "forbidden"),
    "execution_expired": (410, "expired"),
    "execution_already_settled": (409, "already_decided"),
}


async def approvals(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Every question that waits and that the caller may see."""
    request.check_query()
    found = await gateway.pending(request.principal)
    return ApiResponse({"items": [_pending(gateway, one, request.principal) for one in found]})


def _pending(gateway: Gateway, one: Pending, principal: Principal) -> JsonObject:
    other = one.account_id != principal.account_id and gateway.is_approver(principal)
    body = {
        "executionId": one.execution_id,
        "workspaceId": one.workspace_id,
        "accountId": one.account_id,
        "sessionId": one.session_id,
        "createdAt": iso(one.created_at_ms),
        "mayApprove": not one.page_only and (one.interaction.approver != "human" or other),
        "interaction": one.interaction.as_json(),
    }
    return {name: value for name, value in body.items() if value is not None}


async def resume(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Decide, go on, and answer the execution's next result, which may be another pause."""
    request.check_query()
    execution_id = request.path["executionId"]
    wanted, wait_ms = read_decisions(request.body, action_required=False), _wait_ms(request.body)
    outcome = DecideOutcome()
    if wanted:
        outcome = await gateway.decide(execution_id, wanted, request.principal, "rest")
        if not outcome.taken:
            raise await _refused(gateway, request, outcome, wanted)
    result = await _next(gateway, execution_id, request.principal, wait_ms)
    return ApiResponse(result.structured() | (_refusals(outcome) if outcome.taken else {}))


async def _next(gateway: Gateway, execution_id: str, principal: Principal, wait_ms: int) -> ExecutionResult:
    if wait_ms:
        result = await gateway.wait(execution_id, principal, wait_ms / 1000)
    else:
        result = await gateway.resume(execution_id, None, None, None, principal, via="rest")
    gone = _GONE.get(result.status)
    if gone is not None:
        raise ApiProblem(*gone, result.error.message if result.error is not None else result.status)
    return result


async def decide(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Record a decision and answer what was decided. The execution goes on for whoever waits for its result."""
    request.check_query()
    execution_id = request.path["executionId"]
    before = await find_execution(gateway, request)
    wanted = read_decisions(request.body, action_required=True)
    outcome = await gateway.decide(execution_id, wanted, request.principal, "rest")
    if not outcome.taken:
        raise await _refused(gateway, request, outcome, wanted)
    after = await gateway.show(execution_id, request.principal) or before
    shown = {"executionId": execution_id, "status": after.status, "decided": dict(outcome.taken)}
    return ApiResponse(shown | _refusals(outcome))


async def find_execution(gateway: Gateway, request: ApiRequest) -> ExecutionView:
    """The execution of the path; when the path names a session, it must be of that one. Raises `ApiProblem`."""
    found = await gateway.show(request.path["executionId"], request.principal)
    session = request.path.get("sessionId")
    if found is None or session not in (None, found.session_id):
        raise not_found()
    return found


async def _refused(
    gateway: Gateway, request: ApiRequest, outcome: DecideOutcome, wanted: Mapping[str, InteractionDecision]
) -> ApiProblem:
    """Why no decision was recorded, and whether a person had decided otherwise before."""
    problem = refusal_problem(outcome)
    view = await gateway.show(request.path["executionId"], request.principal)
    if view is not None and outcome.first_refusal == "already_decided":
        said: list[ElicitAction] = [view.decided[one] for one in view.by_person & outcome.refused.keys()]
        problem.message = overruled(said, next(iter(wanted.values())).action) or problem.message
    return problem


def refusal_problem(outcome: DecideOutcome) -> ApiProblem:
    """Why no decision was recorded."""
    refusal = outcome.first_refusal or "not_found"
    return ApiProblem(*_REFUSED[refusal], REFUSALS[refusal])


def _refusals(outcome: DecideOutcome) -> JsonObject:
    """The decisions that were refused while others were recorded."""
    if not outcome.refused:
        return {}
    return {
        "refused": {
            name: {"code": _REFUSED[why][1], "message": REFUSALS[why]}
            for name, why in outcome.refused.items()
        }
    }


def read_decisions(body: JsonObject, *, action_required: bool) -> dict[str, InteractionDecision]:
    """Decisions by interaction id; `*` stands for every question that waits. Raises `ApiProblem`."""
    known = ("action", "content", "interactionId", *(() if action_required else ("waitMs",)))
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise invalid_argument(f"Unknown property `{unknown[0][:64]}`; there are: {', '.join(known)}.")
    action: ElicitAction | None = next((one for one in ELICIT_ACTIONS if one == body.get("action")), None)
    if action is None:
        if body.get("action") is not None or action_required:
            raise invalid_argument("`action` must be accept, decline or cancel.")
        if body.keys() & {"content", "interactionId"}:
            raise invalid_argument(
                "`content` and `interactionId` need an `action`: accept, decline or cancel."
            )
        return {}
    name = body.get("interactionId")
    if name is not None and (not isinstance(name, str) or not 0 < len(name) <= 128):
        raise invalid_argument("`interactionId` must be the id of a question that waits.")
    return {name or _EVERY_QUESTION: InteractionDecision(action, _content(body.get("content")))}


def _content(value: object) -> JsonObject:
    if isinstance(value, str):
        try:
            value = read_json(value)
        except ValueError:
            value = 0
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_argument("`content` must be an object, or a string that holds a JSON object.")
    if is_too_deep(value):
        raise invalid_argument(f"`content` must not be {JsonTooDeep()}.")
    return value


def _wait_ms(body: JsonObject) -> int:
    value = body.get("waitMs", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_WAIT_MS:
        raise invalid_argument(f"`waitMs` must be a whole number from 0 to {MAX_WAIT_MS}.")
    return value
