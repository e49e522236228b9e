"""What an execution does next: `(state, event) -> (state, commands)`. No clock, no I/O, no await.

    new -> running <-> blocked  -> paused | finished
      `-> replaying -^ `-> draining -^  `-> leaving -^

`running`: the worker computes. `blocked`: it waits for calls or timers. `draining`: the code has ended, calls that it
never awaited are still under way. `replaying`: a fresh worker is brought to where a journal ends. `leaving`: the
server drains, and waits only for calls that must not be sent twice. `paused`: another run continues from the journal,
when something was decided or, after `HandOver`, at once.

Rules:
- An event that does not fit the state raises `IllegalEvent`; nothing is ignored.
- Results reach the code in the order in which calls settled, each with its own clock; the clock never goes back.
- Every record is written before its effect: `WriteRecord` stands before the `DispatchCall` or `Deliver` it is about.
- Active time runs while the worker computes, and while it waits for nothing but timers. It stands still while the code
  waits for an inner call, and while it waits to be compiled.
- Calls beyond `parallel` wait here; calls beyond `calls` settle at once with `call_limit_exceeded`.
- Nobody is asked any more for code that has thrown: a call that asks is then cut off, and reported as `unsettled`.
- Calls that the code made but did not await: when the code returns they are still sent, and the execution ends when
  they have settled; their results go nowhere. When the code throws, those not sent yet are dropped, and those already
  sent are waited for.
- A pause comes only when nothing else can progress, so that it shows every call that needs a decision; the worker is
  killed, and `PauseRecord` is on record before `Pause` is said.
- A hand-over kills the worker at once: whatever it says after that is part of no journal, and the replay says it again.
  It waits for calls that must not be sent twice; calls that may are cut off, and sent again by the next run.
- Whatever ends the execution from outside (deadline, cancel, lost worker) does not wait: calls under way are cut off
  and reported as `unsettled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from proxy.executions.machine.calls import (
    TOO_MANY_BYTES,
    admitted,
    dispatch_queued,
    hold,
    record_outcome,
    record_verdicts,
)
from proxy.executions.machine.endings import (
    cancel,
    end,
    hand_over,
    ignore,
    leave,
    lose,
    pause,
    stop,
    time_out,
)
from proxy.executions.machine.events import (
    CallAsked,
    CancelRequested,
    DeadlineReached,
    Deliver,
    Ended,
    Finished,
    HandOverRequested,
    HeldUp,
    Judged,
    MachineCommand,
    MachineEvent,
    Resolution,
    Resumed,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import HoldRecord, Past, TimerRecord, UpstreamQuestion
from proxy.executions.machine.replay import Diverged, calls_made, restored
from proxy.executions.machine.state import IllegalEvent, MachineState, Phase, Transition, advanced, without
from proxy.sandbox.messages import TimerDelivery


def step(state: MachineState, event: MachineEvent) -> Transition:
    """The next state and what to do now, in order. Raises `IllegalEvent`; the state is then still valid."""
    handler = _HANDLERS.get((state.phase, type(event)))
    if handler is None:
        raise IllegalEvent(f"{type(event).__name__} while {state.phase}")
    return handler(advanced(state, event.at), event)


# ---- beginning and end -------------------------------------------------------------------------------------------
def _started(state: MachineState, event: Started) -> Transition:
    now = event.start.now
    state = state._replace(phase="running", began=event.at, at=event.at, active_ms=0.0, clock=now)
    return state, (WriteRecord(event.start), StartWorker(event.start))


def _finished(state: MachineState, event: Finished) -> Transition:
    done = event.done
    if not done.ok:
        held = {seq: one for seq, one in state.held.items() if not one.parked}
        parked = MappingProxyType({seq: one for seq, one in state.held.items() if one.parked})
        waiting = (*(one.call for one in state.queue), *(one.call for one in held.values()))
        dropped = state._replace(queue=(), held=parked, dropped=(*waiting, *done.calls))
        return _drained(dropped._replace(phase="draining", done=done), ())
    state, commands = admitted(state._replace(phase="draining", done=done, inbox=()), done.calls)
    return _drained(state, commands)


def _drained(state: MachineState, commands: tuple[MachineCommand, ...]) -> Transition:
    """Over when every call has settled; paused when some need a decision first."""
    state = state._replace(inbox=())
    if not state.quiet:
        return state, commands
    assert state.done is not None
    if state.held and state.done.ok:
        return pause(state, commands)
    return end(state, commands, Ended("completed" if state.done.ok else "failed", state.done))


# ---- replay ------------------------------------------------------------------------------------------------------
def _resumed(state: MachineState, event: Resumed) -> Transition:
    past = event.past
    state = state._replace(phase="replaying", began=event.at, at=event.at, clock=past.start.now)
    state = state._replace(
        active_ms=past.active_ms, past=past, resolutions=event.resolutions, alive=event.alive
    )
    cancelled = _cancelled(past, event.resolutions)
    if cancelled is not None:
        message = (
            f"The approval of `{cancelled}` was cancelled, which ends the execution; the call was not sent."
        )
        return stop(state, Ended("canceled", name="CanceledError", message=message))
    return state, (StartWorker(past.start),)


def _cancelled(past: Past, resolutions: Mapping[int, Resolution]) -> str | None:
    """The address of a held call that somebody cancelled: the code is not asked, and nothing further is sent.

    What an upstream asked is no such call: that upstream is told, and its call goes on.
    """
    for seq, resolution in resolutions.items():
        record = past.last.get(seq)
        if resolution.action != "cancel" or not isinstance(record, HoldRecord):
            continue
        if not isinstance(record.question, UpstreamQuestion):
            return record.question.address
    return None


def _replayed(state: MachineState, event: WorkerBlocked | Finished) -> Transition:
    """The worker answered: deliver more of the past, or continue where it ends."""
    calls = event.calls if isinstance(event, WorkerBlocked) else event.done.calls
    try:
        state, commands = calls_made(state, calls, over=isinstance(event, Finished))
    except Diverged as why:
        return lose(state, WorkerLost(event.at, "diverged", str(why)))
    if commands:
        return state, commands
    if isinstance(event, WorkerBlocked):
        state = state._replace(phase="blocked", wake=event.wake)
        return _waited(*restored(state))
    return _drained(*restored(state._replace(phase="draining", done=event.done)))


# ---- calls -------------------------------------------------------------------------------------------------------
def _blocked(state: MachineState, event: WorkerBlocked) -> Transition:
    state, commands = admitted(state._replace(phase="blocked", wake=event.wake), event.calls)
    if state.refused > state.limits.refusals:
        message = f"The code kept calling tools after the limit of {state.limits.calls} calls."
        return stop(state, Ended("failed", name="CallLimitError", message=message))
    return _waited(state, commands)


def _waited(state: MachineState, commands: tuple[MachineCommand, ...]) -> Transition:
    if state.quiet and not (state.inbox or state.held) and state.wake is None:
        message = "The code waits for something that can never happen: no call and no timer is pending."
        return stop(state, Ended("failed", name="Error", message=message))
    return _progressed(state, commands)


def _judged(state: MachineState, event: Judged) -> Transition:
    state, commands = record_verdicts(state, event.verdicts)
    if state.phase == "draining":
        return _drained(state, commands)
    return _progressed(state, commands) if state.phase == "blocked" else (state, commands)


def _settled(state: MachineState, event: Settled) -> Transition:
    held = state.held.get(event.seq)
    if event.seq not in state.flying and not (held is not None and held.parked):
        raise IllegalEvent(f"call {event.seq} is not under way")
    total = state.outcome_bytes + len(event.outcome)
    outcome = event.outcome if total <= state.limits.outcome_bytes else TOO_MANY_BYTES
    flying, once = without(state.flying, event.seq), state.once - {event.seq}
    state = state._replace(held=without(state.held, event.seq))
    state = state._replace(flying=flying, once=once, outcome_bytes=min(total, state.limits.outcome_bytes + 1))
    state, write = record_outcome(state, event.seq, outcome)
    if state.phase == "leaving":
        return leave(state, (write,))
    state, judge = dispatch_queued(state)
    if state.phase == "draining":
        return _drained(state, (write, *judge))
    if state.phase == "running":
        return state, (write, *judge)
    return _progressed(state, (write, *judge))


def _asked(state: MachineState, event: CallAsked) -> Transition:
    """It waits like a call that needs approval."""
    call = state.flying.get(event.seq)
    if call is None:
        raise IllegalEvent(f"call {event.seq} is not under way")
    flying, once = without(state.flying, event.seq), state.once - {event.seq}
    state, commands = hold(state._replace(flying=flying, once=once), call, event.question)
    if state.phase == "leaving":
        return leave(state, commands)
    state, judge = dispatch_queued(state)
    if state.phase == "draining":
        return _drained(state, (*commands, *judge))
    if state.phase == "running":
        return state, (*commands, *judge)
    return _progressed(state, (*commands, *judge))


def _held_up(state: MachineState, event: HeldUp) -> Transition:
    return state._replace(waiting=event.waits), ()


# ---- deliveries --------------------------------------------------------------------------------------------------
def _progressed(state: MachineState, commands: tuple[MachineCommand, ...]) -> Transition:
    """Whatever has settled is delivered before any timer: records are delivered in the order of writing."""
    if state.inbox:
        running = state._replace(phase="running", inbox=(), wake=None)
        return running, (*commands, Deliver(state.inbox))
    if state.wake is not None:
        return state, (*commands, WaitTimer(state.wake))
    return pause(state, commands) if state.quiet and state.held else (state, commands)


def _timer(state: MachineState, event: TimerDue) -> Transition:
    if state.wake is None or state.at < state.wake:
        raise IllegalEvent("TimerDue before a timer is due")
    if state.timers >= state.limits.timers:
        message = f"The code waited for timers more than {state.limits.timers} times."
        return stop(state, Ended("failed", name="TimerLimitError", message=message))
    clock = max(state.clock, state.at)
    running = state._replace(phase="running", wake=None, clock=clock, timers=state.timers + 1)
    return running, (WriteRecord(TimerRecord(clock)), Deliver((TimerDelivery(clock),)))


_HANDLERS: Final[Mapping[tuple[Phase, type], Callable[[MachineState, Any], Transition]]] = {
    ("new", Started): _started,
    ("new", Resumed): _resumed,
    ("new", WorkerLost): lose,
    ("new", CancelRequested): cancel,
    ("replaying", WorkerBlocked): _replayed,
    ("replaying", Finished): _replayed,
    ("replaying", WorkerLost): lose,
    ("replaying", DeadlineReached): time_out,
    ("replaying", CancelRequested): cancel,
    ("running", Judged): _judged,
    ("running", WorkerBlocked): _blocked,
    ("running", Settled): _settled,
    ("running", CallAsked): _asked,
    ("running", Finished): _finished,
    ("running", WorkerLost): lose,
    ("running", DeadlineReached): time_out,
    ("running", CancelRequested): cancel,
    ("running", HeldUp): _held_up,
    ("replaying", HeldUp): _held_up,
    ("leaving", HeldUp): ignore,
    ("blocked", Judged): _judged,
    ("blocked", Settled): _settled,
    ("blocked", CallAsked): _asked,
    ("blocked", TimerDue): _timer,
    ("blocked", WorkerLost): lose,
    ("blocked", DeadlineReached): time_out,
    ("blocked", CancelRequested): cancel,
    ("draining", Judged): _judged,
    ("draining", Settled): _settled,
    ("draining", CallAsked): _asked,
    ("draining", DeadlineReached): time_out,
    ("draining", CancelRequested): cancel,
    ("replaying", HandOverRequested): hand_over,
    ("running", HandOverRequested): hand_over,
    ("blocked", HandOverRequested): hand_over,
    ("draining", HandOverRequested): hand_over,
    ("leaving", Settled): _settled,
    ("leaving", CallAsked): _asked,
    ("leaving", WorkerBlocked): ignore,
    ("leaving", Finished): ignore,
    ("leaving", WorkerLost): ignore,
    ("leaving", DeadlineReached): time_out,
    ("leaving", CancelRequested): cancel,
}
"""Every event that may happen, by state. What is not here is illegal."""
