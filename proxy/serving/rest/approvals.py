"""Deciding over REST: what waits, and what a person says to it.

The account that runs the code cannot answer a question with `approver: human`, here as anywhere (T12).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from proxy.executions import (
    REFUSALS,
    DecideOutcome,
    Decision,
    ExecutionResult,
    ExecutionView,
    Pending,
)
from proxy.executions.approvals import CHOICES, Choice, Refusal, iso
from proxy.principal import Principal
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import Answer, Call, JsonObject, Problem, not_found, wrong

MAX_WAIT_MS: Final = 240_000
_EVERYTHING: Final = "*"
_REFUSED: Final[Mapping[Refusal, tuple[int, str]]] = {
    "not_found": (404, "not_found"),
    "forbidden": (403, "forbidden"),
    "expired": (410, "expired"),
    "already_decided": (409, "already_decided"),
    "needs_another_person": (403, "needs_another_person"),
    "needs_content": (422, "needs_content"),
    "wrong_content": (422, "wrong_content"),
}
_GONE: Final[Mapping[str, tuple[int, str]]] = {
    "execution_not_found": (404, "not_found"),
    "execution_forbidden": (403, "forbidden"),
    "execution_expired": (410, "expired"),
    "execution_already_settled": (409, "already_decided"),
}


async def approvals(gateway: Gateway, call: Call) -> Answer:
    """Everything that waits and that the caller may see."""
    call.only()
    found = await gateway.pending(call.principal)
    return Answer({"items": [_pending(gateway, one, call.principal) for one in found]})


def _pending(gateway: Gateway, one: Pending, principal: Principal) -> JsonObject:
    other = one.account_id != principal.account_id and gateway.is_approver(principal)
    body = {
        "executionId": one.execution_id,
        "workspaceId": one.workspace_id,
        "accountId": one.account_id,
        "sessionId": one.session_id,
        "createdAt": iso(one.created),
        "mayApprove": one.interaction.approver != "human" or other,
        "interaction": one.interaction.as_json(),
    }
    return {name: value for name, value in body.items() if value is not None}


async def resume(gateway: Gateway, call: Call) -> Answer:
    """Decide, go on, and answer the execution's next result, which may be another pause."""
    call.only()
    execution_id = call.path["executionId"]
    wanted, wait_ms = read_decisions(call.body, action_required=False), _wait_ms(call.body)
    outcome = DecideOutcome()
    if wanted:
        outcome = await gateway.decide(execution_id, wanted, call.principal, "rest")
        if not outcome.taken and not await _agreed(gateway, call, outcome, wanted):
            raise refused(outcome)
    result = await _next(gateway, execution_id, call.principal, wait_ms)
    return Answer(result.structured() | (_refusals(outcome) if outcome.taken else {}))


async def _agreed(
    gateway: Gateway, call: Call, outcome: DecideOutcome, wanted: Mapping[str, Decision]
) -> bool:
    """Whether another person has decided the same by now: then there is nothing to refuse."""
    if set(outcome.refused.values()) != {"needs_another_person"}:
        return False
    view = await gateway.show(call.path["executionId"], call.principal)
    actions = {one.action for one in wanted.values()}
    return view is not None and {view.decided.get(name) for name in outcome.refused} == actions


async def _next(gateway: Gateway, execution_id: str, principal: Principal, wait_ms: int) -> ExecutionResult:
    if wait_ms:
        result = await gateway.wait(execution_id, principal, wait_ms / 1000)
    else:
        result = await gateway.resume(execution_id, None, None, None, principal, via="rest")
    gone = _GONE.get(result.status)
    if gone is not None:
        raise Problem(*gone, result.error.message if result.error is not None else result.status)
    return result


async def decide(gateway: Gateway, call: Call) -> Answer:
    """Record a decision and answer what was decided; whoever waits for the result goes on with it."""
    call.only()
    execution_id = call.path["executionId"]
    before = await find(gateway, call)
    wanted = read_decisions(call.body, action_required=True)
    outcome = await gateway.decide(execution_id, wanted, call.principal, "rest")
    if not outcome.taken:
        raise refused(outcome)
    after = await gateway.show(execution_id, call.principal) or before
    shown = {"executionId": execution_id, "status": after.status, "decided": dict(outcome.taken)}
    return Answer(shown | _refusals(outcome))


async def find(gateway: Gateway, call: Call) -> ExecutionView:
    """The execution of the path, which must belong to the session that the path names, if it names one. Raises
    `Problem`."""
    found = await gateway.show(call.path["executionId"], call.principal)
    session = call.path.get("sessionId")
    if found is None or session not in (None, found.session_id):
        raise not_found()
    return found


def refused(outcome: DecideOutcome) -> Problem:
    """Nothing was taken, and why."""
    refusal = outcome.first_refusal or "not_found"
    return Problem(*_REFUSED[refusal], REFUSALS[refusal])


def _refusals(outcome: DecideOutcome) -> JsonObject:
    """What was not taken while something else was."""
    if not outcome.refused:
        return {}
    return {
        "refused": {
            name: {"code": _REFUSED[why][1], "message": REFUSALS[why]}
            for name, why in outcome.refused.items()
        }
    }


def read_decisions(body: JsonObject, *, action_required: bool) -> dict[str, Decision]:
    """By interaction id; `*` stands for all that wait. Raises `Problem`."""
    unknown = sorted(body.keys() - {"action", "content", "interactionId", "waitMs"})
    if unknown:
        raise wrong(
            f"Unknown property `{unknown[0][:64]}`; there are: action, content, interactionId, waitMs."
        )
    action: Choice | None = next((one for one in CHOICES if one == body.get("action")), None)
    if action is None:
        if body.get("action") is not None or action_required:
            raise wrong("`action` must be accept, decline or cancel.")
        if body.keys() & {"content", "interactionId"}:
            raise wrong("`content` and `interactionId` need an `action`: accept, decline or cancel.")
        return {}
    name = body.get("interactionId")
    if name is not None and (not isinstance(name, str) or not 0 < len(name) <= 128):
        raise wrong("`interactionId` must be the id of a question that waits.")
    return {name or _EVERYTHING: Decision(action, _content(body.get("content")))}


def _content(value: object) -> JsonObject:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            value = 0
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong("`content` must be an object, or a string that holds a JSON object.")
    return value


def _wait_ms(body: JsonObject) -> int:
    value = body.get("waitMs", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_WAIT_MS:
        raise wrong(f"`waitMs` must be a whole number from 0 to {MAX_WAIT_MS}.")
    return value
