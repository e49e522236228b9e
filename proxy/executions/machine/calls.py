"""What becomes of calls: taken in, judged, sent, held, settled. Part of the execution machine.

A call waits in `queue` for a place, is judged, and then is sent, settles unsent, or is held for a decision.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from integrations.conversation import Reply
from integrations.json_text import write_json
from proxy.calls.canonical import NotCanonical, canonical, digest
from proxy.executions.machine.elicitation import answer_to, answered, next_question
from proxy.executions.machine.events import (
    CallVerdict,
    DispatchCall,
    HeldCall,
    Hold,
    Judge,
    Judgement,
    MachineCommand,
    MaySend,
    Refuse,
    Resolution,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    DispatchRecord,
    HoldRecord,
    Question,
    SettleRecord,
    UpstreamQuestion,
)
from proxy.executions.machine.state import IllegalEvent, MachineLimits, MachineState, Transition, without
from proxy.sandbox.messages import ResultDelivery, ToolCall


def admitted(state: MachineState, calls: tuple[ToolCall, ...]) -> Transition:
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
    commands: list[MachineCommand] = []
    for seq, refusal in refusals:
        state, write = record_outcome(state, seq, refusal)
        commands.append(write)
    state = state._replace(refused=state.refused + sum(one is _LIMIT_REACHED for _, one in refusals))
    state, judge = dispatch_queued(state)
    return state, (*commands, *judge)


def failure(code: str, message: str) -> bytes:
    """An envelope that says no."""
    return write_json({"ok": False, "error": {"code": code, "message": message, "retryable": False}})


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


def dispatch_queued(state: MachineState) -> Transition:
    """Judge as many queued calls as there are places for."""
    places = state.limits.parallel - len(state.flying) - len(state.judging)
    if not state.queue or places <= 0:
        return state, ()
    now, later = state.queue[:places], state.queue[places:]
    judging = MappingProxyType({**state.judging, **{one.call.seq: one for one in now}})
    return state._replace(queue=later, judging=judging), (Judge(now),)


def record_verdicts(state: MachineState, verdicts: tuple[tuple[int, CallVerdict], ...]) -> Transition:
    """Everything on record first, then everything sent. Raises `IllegalEvent`."""
    commands: list[MachineCommand] = []
    dispatches: list[MachineCommand] = []
    for seq, verdict in verdicts:
        judgement = state.judging.get(seq)
        if judgement is None:
            raise IllegalEvent(f"call {seq} is not being judged")
        state = state._replace(judging=without(state.judging, seq))
        state, writes = record_verdict(state, judgement, verdict)
        commands += writes
        if isinstance(verdict, MaySend):
            dispatches.append(DispatchCall(judgement.call))
    state, judge = dispatch_queued(state)
    return state, (*commands, *dispatches, *judge)


def record_verdict(state: MachineState, judgement: Judgement, verdict: CallVerdict) -> Transition:
    """The call is held, refused, or under way, and on record as that."""
    call = judgement.call
    if isinstance(verdict, Hold):
        return hold(state, call, verdict.question)
    key = digest(canonical(call.args))
    uses = judgement.uses
    if judgement.approved is not None and not judgement.again:
        uses = judgement.approved.id
    if isinstance(verdict, Refuse):
        write = WriteRecord(DispatchRecord(call.seq, call.path, key, state.at, repeatable=False))
        state, settled = record_outcome(state, call.seq, verdict.outcome)
        return state, (write, settled)
    again = verdict.repeatable
    write = WriteRecord(DispatchRecord(call.seq, call.path, key, state.at, again), uses)
    once = state.once if again else state.once | {call.seq}
    return state._replace(flying=MappingProxyType({**state.flying, call.seq: call}), once=once), (write,)


def record_outcome(state: MachineState, seq: int, outcome: bytes) -> tuple[MachineState, WriteRecord]:
    """The call is over: on record, and in the inbox."""
    clock = max(state.clock, state.at)
    state = state._replace(clock=clock, inbox=(*state.inbox, ResultDelivery(clock, seq, outcome)))
    return state, WriteRecord(SettleRecord(seq, outcome, clock))


def resolve(state: MachineState, held: HeldCall, resolution: Resolution) -> Transition:
    """Carry out one decision: an approved call is judged once more, anything else settles."""
    call, question = held.call, held.question
    state = state._replace(held=without(state.held, call.seq))
    if isinstance(question, UpstreamQuestion):
        return _reply(state, call, question, resolution)
    if resolution.action == "ask_again":
        return _queued(state, Judgement(call))
    if resolution.action in ("accept", "retry"):
        if isinstance(question, ApprovalQuestion):
            approved: ApprovalQuestion | None = replace(
                question, id=resolution.interaction, approved_until_ms=resolution.expires_at_ms
            )
        else:
            approved = question.approved
        return _queued(state, Judgement(call, approved, again=resolution.action == "retry"))
    state, write = record_outcome(state, call.seq, outcome_of(resolution, question.address))
    return state, (write,)


def _reply(
    state: MachineState, call: ToolCall, question: UpstreamQuestion, resolution: Resolution
) -> Transition:
    """One answer: the call's next question, or the call once more with all its answers."""
    answers = answered(question, answer_to(question, resolution.action, resolution.content))
    further = next_question(question, answers)
    if further is not None:
        uses = resolution.interaction if resolution.action != "expired" else None
        return hold(state, call, further, uses)
    approved = question.call.approved
    uses = resolution.interaction if resolution.action == "accept" else None
    reply = Reply(answers, question.state, question.rounds)
    return _queued(state, Judgement(call, approved, again=approved is not None, reply=reply, uses=uses))


def _queued(state: MachineState, judgement: Judgement) -> Transition:
    return state._replace(queue=(*state.queue, judgement)), ()


def hold(state: MachineState, call: ToolCall, question: Question, uses: str | None = None) -> Transition:
    """Hold the call until somebody has answered. What is under way is on record as just that."""
    one = HeldCall(call, question)
    held = MappingProxyType({**state.held, call.seq: one})
    if one.parked:
        return state._replace(held=held), ()
    record = HoldRecord(call.seq, call.path, digest(canonical(call.args)), question)
    return state._replace(held=held), (WriteRecord(record, uses),)


def outcome_of(resolution: Resolution, address: str) -> bytes:
    """What agent code sees of a call that was not approved, or that a person has settled."""
    if resolution.action == "done":
        return write_json({"ok": True, "data": resolution.content.get("data")})
    if resolution.action == "fail":
        text = f"Whether `{address}` took effect is not known, and a person decided not to repeat it."
        return failure("outcome_unknown", text)
    if resolution.action == "expired":
        return failure("approval_expired", f"Nobody approved `{address}` in time; it was not sent.")
    who = (
        f"A person declined `{address}`"
        if resolution.by_person
        else f"The approval of `{address}` was declined"
    )
    message = f"{who}; the call was not sent."
    return write_json({"throw": {"name": "ToolApprovalDeclinedError", "message": message}})
