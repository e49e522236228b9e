"""Bring a fresh worker to where a journal ends: same code, same seed, same deliveries, and nothing is sent.

Part of the execution machine. Deliveries are made in the order of writing, many in one frame; because the worker takes
them one at a time, it does not matter how they were grouped the first time. Then every call that has not settled goes
to where it stood:

    recorded as held         held again, or carried out as decided
    recorded as sent         still under way in this process, and joined again; or else the proxy died before it knew
                             the outcome: repeated if harmless, else asked about
    not recorded             queued, as if it had just been made
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from proxy.calls.canonical import NotCanonical, canonical, digest
from proxy.executions.machine.calls import dispatch_queued, resolve
from proxy.executions.machine.events import Deliver, HeldCall, Judgement, MachineCommand, Rejoin
from proxy.executions.machine.journal import DispatchRecord, HoldRecord, Past
from proxy.executions.machine.state import MachineState, Transition
from proxy.sandbox.messages import Delivery, ResultDelivery, ToolCall

# Each event of a frame lives in the worker until it is taken, and every event costs a walk over what lives there.
BATCH_EVENTS: Final = 64
BATCH_BYTES: Final = 1024 * 1024


class Diverged(Exception):
    """The code asked for another call than the journal recorded. The text shows both."""


def calls_made(state: MachineState, calls: tuple[ToolCall, ...], *, over: bool) -> Transition:
    """The worker made these calls again. No command means that the journal is used up.

    `over`: the code has ended, and what else settled went nowhere. Raises `Diverged`.
    """
    past = state.past
    assert past is not None
    for number, call in enumerate(calls, len(state.made)):
        if call.seq != number:
            raise Diverged(f"call {call.seq} came where {number} was due")
        check(past, call)
    state = state._replace(made=(*state.made, *calls))
    batch = () if over else _batch(past, state.replayed)
    if batch:
        return state._replace(replayed=state.replayed + len(batch)), (Deliver(batch),)
    check_all_made(past, (call.seq for call in state.made))
    return state, ()


def _batch(past: Past, start: int) -> tuple[Delivery, ...]:
    """The next deliveries that fit one frame, at least one."""
    size = 0
    for count, one in enumerate(past.deliveries[start : start + BATCH_EVENTS]):
        size += len(one.result) if isinstance(one, ResultDelivery) and isinstance(one.result, bytes) else 0
        if count and size > BATCH_BYTES:
            return past.deliveries[start : start + count]
    return past.deliveries[start : start + BATCH_EVENTS]


def restored(state: MachineState) -> Transition:
    """The state as it was when the journal ended, with the decisions made since. `past` is dropped."""
    past = state.past
    assert past is not None
    open_calls = [call for call in state.made if call.seq not in past.outcomes]
    known = past.last.keys() | {call.seq for call in open_calls}
    state = state._replace(
        next_seq=len(state.made),
        sent=len(known),
        refused=len(state.made) - len(known),
        timers=past.timers,
        outcome_bytes=past.outcome_bytes,
        clock=past.clock,
        past=None,
        made=(),
    )
    state, commands = _rest(state, past, open_calls)
    return state._replace(alive=frozenset()), commands


def _rest(state: MachineState, past: Past, open_calls: list[ToolCall]) -> Transition:
    """Every call that has not settled goes to where it stood."""
    if state.done is not None and not state.done.ok:
        return state._replace(dropped=tuple(open_calls)), ()
    commands: list[MachineCommand] = []
    for call in open_calls:
        state, more = _placed(state, past, call)
        commands += more
    state, judge = dispatch_queued(state)
    return state, (*commands, *judge)


def _placed(state: MachineState, past: Past, call: ToolCall) -> Transition:
    record = past.last.get(call.seq)
    if isinstance(record, HoldRecord):
        held = HeldCall(call, record.question)
        state = state._replace(held=MappingProxyType({**state.held, call.seq: held}))
        resolution = state.resolutions.get(call.seq)
        return resolve(state, held, resolution) if resolution is not None else (state, ())
    if isinstance(record, DispatchRecord) and call.seq in state.alive:
        once = state.once if record.repeatable else state.once | {call.seq}
        flying = MappingProxyType({**state.flying, call.seq: call})
        return state._replace(flying=flying, once=once), (Rejoin(call),)
    if isinstance(record, DispatchRecord):
        approved = past.approvals.get(call.seq)
        judgement = Judgement(call, approved, again=record.repeatable, lost=not record.repeatable)
    else:
        judgement = Judgement(call)
    return state._replace(queue=(*state.queue, judgement)), ()


def check(past: Past, call: ToolCall) -> None:
    """Raises `Diverged` when the journal knows this call as another one."""
    recorded = past.last.get(call.seq)
    if recorded is None:
        return  # refused by a limit, or still waiting for its turn when the journal ends
    try:
        asked = digest(canonical(call.args))
    except NotCanonical:
        asked = "that have no canonical form"
    if (recorded.path, recorded.digest) != (call.path, asked):
        before = f"`{recorded.path}` with arguments {recorded.digest[:12]}"
        raise Diverged(f"call {call.seq} was {before}, and now is `{call.path}` with arguments {asked[:12]}")


def check_all_made(past: Past, made: Iterable[int]) -> None:
    """Raises `Diverged` when the code has not made a call that the journal knows."""
    missing = past.last.keys() - set(made)
    if missing:
        seq = min(missing)
        recorded = past.last[seq]
        raise Diverged(
            f"call {seq} was `{recorded.path}` with arguments {recorded.digest[:12]}, and now is not made"
        )
