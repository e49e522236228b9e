"""What becomes of calls: taken in, judged, sent, held, settled. Part of the execution machine.

A call waits in `queue` for a place, is judged, and then is sent, settles unsent, or is held for a decision.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import orjson

from proxy.calls.canonical import NotCanonical, canonical, digest
from proxy.executions import inputs
from proxy.executions.journal import DispatchRecord, HoldRecord, SettleRecord
from proxy.executions.protocol import (
    Answer,
    Command,
    Dispatch,
    Given,
    Held,
    Hold,
    Judge,
    Judgement,
    Refuse,
    Send,
    Write,
)
from proxy.executions.situation import IllegalEvent, MachineLimits, State, Step, without
from proxy.sandbox import ResultDelivery, ToolCall


def admitted(state: State, calls: tuple[ToolCall, ...]) -> Step:
    """Take in new calls: refuse what is over a limit, queue the rest, judge what fits. Raises `IllegalEvent`."""
    queued = list(state.queue)
    refusals: list[tuple[int, bytes]] = []
    expected, sent = state.next_seq, state.sent
    for call in calls:
        if call.seq != expected:
            raise IllegalEvent(f"call {call.seq} came where {expected} was due")
        expected += 1
        refusal = _LIMIT_REACHED if sent >= state.limits.calls else _unsendable(call, state.limits)
        if refusal is None:
            queued.append(Judgement(call))
            sent += 1
        else:
            refusals.append((call.seq, refusal))
    state = state._replace(next_seq=expected, sent=sent, queue=tuple(queued))
    commands: list[Command] = []
    for seq, refusal in refusals:
        state, write = recorded(state, seq, refusal)
        commands.append(write)
    state = state._replace(refused=state.refused + sum(one is _LIMIT_REACHED for _, one in refusals))
    state, judge = asked(state)
    return state, (*commands, *judge)


def failure(code: str, message: str) -> bytes:
    """An envelope that says no."""
    return orjson.dumps({"ok": False, "error": {"code": code, "message": message, "retryable": False}})


_LIMIT_REACHED: Final = failure(
    "call_limit_exceeded", "This execution has made as many calls as it may. Split the work."
)
TOO_MANY_BYTES: Final = failure(
    "upstream_response_too_large", "The calls of this execution have returned as many bytes as it may hold."
)


def _unsendable(call: ToolCall, limits: MachineLimits) -> bytes | None:
    try:
        size = len(canonical(call.args))
    except NotCanonical as why:
        return failure("invalid_tool_arguments", f"The arguments cannot be sent: {why}.")
    if size <= limits.argument_bytes:
        return None
    return failure("invalid_tool_arguments", f"The arguments are larger than {limits.argument_bytes} bytes.")


def asked(state: State) -> Step:
    """Judge as many queued calls as there are places for."""
    places = state.limits.parallel - len(state.flying) - len(state.judging)
    if not state.queue or places <= 0:
        return state, ()
    now, later = state.queue[:places], state.queue[places:]
    judging = MappingProxyType({**state.judging, **{one.call.seq: one for one in now}})
    return state._replace(queue=later, judging=judging), (Judge(now),)


def answered(state: State, answers: tuple[tuple[int, Answer], ...]) -> Step:
    """Everything on record first, then everything sent. Raises `IllegalEvent`."""
    commands: list[Command] = []
    dispatches: list[Command] = []
    for seq, answer in answers:
        judgement = state.judging.get(seq)
        if judgement is None:
            raise IllegalEvent(f"call {seq} is not being judged")
        state = state._replace(judging=without(state.judging, seq))
        state, writes = _filed(state, judgement, answer)
        commands += writes
        if isinstance(answer, Send):
            dispatches.append(Dispatch(judgement.call))
    state, judge = asked(state)
    return state, (*commands, *dispatches, *judge)


def _filed(state: State, judgement: Judgement, answer: Answer) -> Step:
    call = judgement.call
    key = digest(canonical(call.args))
    if isinstance(answer, Hold):
        held = MappingProxyType({**state.held, call.seq: Held(call, answer.ask)})
        return state._replace(held=held), (Write(HoldRecord(call.seq, call.path, key, answer.ask)),)
    again = isinstance(answer, Send) and answer.repeatable
    uses = judgement.uses
    if judgement.ask is not None and not judgement.again:
        uses = judgement.ask["id"]
    sent = isinstance(answer, Send)
    write = Write(DispatchRecord(call.seq, call.path, key, state.at, again), uses if sent else None)
    if isinstance(answer, Refuse):
        state, settled = recorded(state, call.seq, answer.outcome)
        return state, (write, settled)
    once = state.once if again else state.once | {call.seq}
    return state._replace(flying=MappingProxyType({**state.flying, call.seq: call}), once=once), (write,)


def recorded(state: State, seq: int, outcome: bytes) -> tuple[State, Write]:
    """The call is over: on record, and in the inbox."""
    clock = max(state.clock, state.at)
    state = state._replace(clock=clock, inbox=(*state.inbox, ResultDelivery(clock, seq, outcome)))
    return state, Write(SettleRecord(seq, outcome, clock))


def decided(state: State, held: Held, given: Given) -> Step:
    """Carry out one decision: an approved call is judged once more, anything else settles."""
    seq = held.call.seq
    state = state._replace(held=without(state.held, seq))
    if held.ask.get("kind") in inputs.KINDS:
        return _replied(state, held, given)
    if given.action == "ask_again":
        return state._replace(queue=(*state.queue, Judgement(held.call))), ()
    if given.action in ("accept", "retry"):
        ask = held.ask.get("approved")
        if held.ask.get("kind") == "approval":
            ask = {**held.ask, "id": given.interaction, "expires": given.expires_at}
        judgement = Judgement(held.call, ask, again=given.action == "retry")
        return state._replace(queue=(*state.queue, judgement)), ()
    state, write = recorded(state, seq, outcome_of(given, held.ask))
    return state, (write,)


def _replied(state: State, held: Held, given: Given) -> Step:
    """One answer: the call's next question, or the call once more with all its answers."""
    call = held.call
    answers = inputs.answered(held.ask, given.action, given.content)
    ask = inputs.next_ask(held.ask, answers)
    if ask is not None:
        uses = given.interaction if given.action != "expired" else None
        return ask_about(state, call, ask, uses)
    approved = held.ask.get("approved")
    uses = given.interaction if given.action == "accept" else None
    reply = inputs.reply_of(held.ask, answers)
    judgement = Judgement(call, approved, again=approved is not None, reply=reply, uses=uses)
    return state._replace(queue=(*state.queue, judgement)), ()


def ask_about(state: State, call: ToolCall, ask: dict[str, Any], uses: str | None = None) -> Step:
    """Hold the call until somebody has answered. What is under way is on record as just that."""
    one = Held(call, ask)
    held = MappingProxyType({**state.held, call.seq: one})
    if one.parked:
        return state._replace(held=held), ()
    record = HoldRecord(call.seq, call.path, digest(canonical(call.args)), ask)
    return state._replace(held=held), (Write(record, uses),)


def outcome_of(given: Given, ask: dict[str, Any]) -> bytes:
    """What agent code sees of a call that was not approved, or that a person has settled."""
    address = ask.get("address", "")
    if given.action == "done":
        return orjson.dumps({"ok": True, "data": given.content.get("data")})
    if given.action == "fail":
        text = f"Whether `{address}` took effect is not known, and a person decided not to repeat it."
        return failure("outcome_unknown", text)
    if given.action == "expired":
        return failure("approval_expired", f"Nobody approved `{address}` in time; it was not sent.")
    what = "declined" if given.action == "decline" else "cancelled"
    message = f"The approval of `{address}` was {what}; the call was not sent."
    return orjson.dumps({"throw": {"name": "ToolApprovalDeclinedError", "message": message}})
