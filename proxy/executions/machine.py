"""What an execution does next: `(state, event) -> (state, commands)`. No clock, no I/O, no await.

    new -> running <-> blocked  -> paused | finished
      `-> replaying -^ `-> draining -^

`running`: the worker computes. `blocked`: it waits for calls or timers. `draining`: the code has ended, calls that it
never awaited are still under way. `replaying`: a fresh worker is brought to where a journal ends. `paused`: nothing
can progress without a decision; another run goes on from the journal.

Rules:
- An event that does not fit the state raises `IllegalEvent`; nothing is ignored.
- Results reach the code in the order in which calls settled, each with its own clock; the clock never goes back.
- Every record is written before its effect: `Write` stands before the `Dispatch` or `Deliver` it is about.
- Active time runs while the worker computes, and while it waits for nothing but timers. It stands still while the code
  waits for an inner call.
- Calls beyond `parallel` wait here; calls beyond `calls` settle at once with `call_limit_exceeded`.
- Calls that the code made but did not await: when the code returns they are still sent, and the execution ends when
  they have settled; their results go nowhere. When the code throws, those not sent yet are dropped, and those already
  sent are waited for.
- A pause comes only when nothing else can progress, so that it shows every call that needs a decision; the worker is
  killed, and `PauseRecord` is on record before `Pause` is said.
- Whatever ends the execution from outside (deadline, cancel, lost worker) does not wait: calls under way are cut off
  and reported as `unsettled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from proxy.executions import replay
from proxy.executions.admission import TOO_MANY_BYTES, admitted, answered, asked, recorded
from proxy.executions.journal import PauseRecord, TimerRecord
from proxy.executions.past import Diverged
from proxy.executions.protocol import (
    Blocked,
    CancelRequested,
    Command,
    DeadlineReached,
    Deliver,
    Ended,
    Event,
    Finish,
    Finished,
    Judged,
    KillWorker,
    LostReason,
    Pause,
    Resumed,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerLost,
    Write,
)
from proxy.executions.situation import (
    NO_CALLS,
    NO_HELD,
    NO_JUDGED,
    IllegalEvent,
    MachineLimits,
    Phase,
    State,
    Step,
    advanced,
    deadline,
    without,
)
from proxy.sandbox import TimerDelivery

__all__ = ["IllegalEvent", "MachineLimits", "State", "Step", "deadline", "step"]


def step(state: State, event: Event) -> Step:
    """The next state and what to do now, in order. Raises `IllegalEvent`; the state is then still valid."""
    handler = _HANDLERS.get((state.phase, type(event)))
    if handler is None:
        raise IllegalEvent(f"{type(event).__name__} while {state.phase}")
    return handler(advanced(state, event.at), event)


# ---- beginning and end -------------------------------------------------------------------------------------------
def _started(state: State, event: Started) -> Step:
    now = event.start.now
    state = replace(state, phase="running", began=event.at, at=event.at, active_ms=0.0, clock=now)
    return state, (Write(event.start), StartWorker(event.start))


def _finished(state: State, event: Finished) -> Step:
    done = event.done
    if not done.ok:
        waiting = (*(one.call for one in state.queue), *(one.call for one in state.held.values()))
        dropped = replace(state, queue=(), held=NO_HELD, dropped=(*waiting, *done.calls))
        return _drained(replace(dropped, phase="draining", done=done), ())
    state, commands = admitted(replace(state, phase="draining", done=done, inbox=()), done.calls)
    return _drained(state, commands)


def _drained(state: State, commands: tuple[Command, ...]) -> Step:
    """Over when every call has settled; paused when some need a decision first."""
    state = replace(state, inbox=())
    if not state.quiet:
        return state, commands
    if state.held:
        return _paused(state, commands)
    assert state.done is not None
    return _ended(state, commands, Ended("completed" if state.done.ok else "failed", state.done))


def _ended(state: State, commands: tuple[Command, ...], ended: Ended) -> Step:
    judged = (one.call for one in (*state.judging.values(), *state.queue))
    unsent = (*state.dropped, *judged, *(one.call for one in state.held.values()))
    ended = replace(ended, unsettled=tuple(state.flying.values()), unsent=unsent)
    return _closed(state, "finished"), (*commands, Finish(ended))


def _paused(state: State, commands: tuple[Command, ...]) -> Step:
    held = tuple(state.held[seq] for seq in sorted(state.held))
    last = (Write(PauseRecord(state.active_ms)), KillWorker(), Pause(held))
    return _closed(state, "paused"), (*commands, *last)


def _closed(state: State, phase: Phase) -> State:
    state = replace(state, phase=phase, flying=NO_CALLS, judging=NO_JUDGED, held=NO_HELD, queue=())
    return replace(state, inbox=(), wake=None, past=None, made=())


def _stopped(state: State, ended: Ended) -> Step:
    return _ended(state, (KillWorker(),), ended)


def _deadline(state: State, event: DeadlineReached) -> Step:
    limits = state.limits
    late = state.at - state.began >= limits.lifetime_ms
    if not late and state.active_ms < limits.active_ms:
        raise IllegalEvent("DeadlineReached before the deadline")
    if state.done is not None:
        return _ended(state, (), Ended("completed" if state.done.ok else "failed", state.done))
    spent = limits.lifetime_ms if late else limits.active_ms
    what = "in all" if late else "of active time"
    message = (
        f"The execution was stopped after {spent / 1000:g} s {what}. Do less at once, or raise timeoutMs."
    )
    return _stopped(state, Ended("timeout", name="TimeoutError", message=message))


def _cancelled(state: State, event: CancelRequested) -> Step:
    return _stopped(state, Ended("canceled", name="CanceledError", message=event.why))


_LOST: Final[Mapping[LostReason, tuple[str, str]]] = {
    "memory": (
        "MemoryLimitError",
        "The code used more memory than the sandbox allows: process data in smaller parts.",
    ),
    "cpu": (
        "CpuLimitError",
        "The code used up its CPU time: look for an endless loop or a runaway regular expression.",
    ),
    "crash": (
        "SandboxError",
        "The sandbox ended unexpectedly. Nothing is known to be wrong with the code; try again.",
    ),
    "protocol": ("SandboxError", "The sandbox answered in a way that it must not, and was stopped."),
    "killed": ("SandboxError", "The sandbox was stopped by the server."),
    "store": ("StateError", "The record of this execution could not be kept, so it was stopped."),
    "diverged": (
        "ReplayDiverged",
        "The execution could not be continued, because its code did not ask for the same calls again:",
    ),
    "unavailable": ("SandboxUnavailable", "No sandbox is free at the moment; try again shortly."),
}


def _lost(state: State, event: WorkerLost) -> Step:
    name, message = _LOST[event.reason]
    detail = f" ({event.detail})" if event.detail else ""
    return _stopped(state, Ended("failed", name=name, message=f"{message}{detail}"))


# ---- replay ------------------------------------------------------------------------------------------------------
def _resumed(state: State, event: Resumed) -> Step:
    past = event.past
    state = replace(state, phase="replaying", began=event.at, at=event.at, clock=past.start.now)
    state = replace(state, active_ms=past.active_ms, past=past, given=event.given)
    return state, (StartWorker(past.start),)


def _replayed(state: State, event: Blocked | Finished) -> Step:
    """The worker answered: deliver more of the past, or go on where it ends."""
    calls = event.calls if isinstance(event, Blocked) else event.done.calls
    try:
        state, commands = replay.heard(state, calls, over=isinstance(event, Finished))
    except Diverged as why:
        return _lost(state, WorkerLost(event.at, "diverged", str(why)))
    if commands:
        return state, commands
    if isinstance(event, Blocked):
        state = replace(state, phase="blocked", wake=event.wake)
        return _waited(*replay.restored(state))
    return _drained(*replay.restored(replace(state, phase="draining", done=event.done)))


# ---- calls -------------------------------------------------------------------------------------------------------
def _blocked(state: State, event: Blocked) -> Step:
    state, commands = admitted(replace(state, phase="blocked", wake=event.wake), event.calls)
    if state.refused > state.limits.refusals:
        message = f"The code kept calling tools after the limit of {state.limits.calls} calls."
        return _stopped(state, Ended("failed", name="CallLimitError", message=message))
    return _waited(state, commands)


def _waited(state: State, commands: tuple[Command, ...]) -> Step:
    if state.quiet and not (state.inbox or state.held) and state.wake is None:
        message = "The code waits for something that can never happen: no call and no timer is pending."
        return _stopped(state, Ended("failed", name="Error", message=message))
    return _progressed(state, commands)


def _judged(state: State, event: Judged) -> Step:
    state, commands = answered(state, event.answers)
    if state.phase == "draining":
        return _drained(state, commands)
    return _progressed(state, commands) if state.phase == "blocked" else (state, commands)


def _settled(state: State, event: Settled) -> Step:
    if event.seq not in state.flying:
        raise IllegalEvent(f"call {event.seq} is not under way")
    total = state.outcome_bytes + len(event.outcome)
    outcome = event.outcome if total <= state.limits.outcome_bytes else TOO_MANY_BYTES
    flying = without(state.flying, event.seq)
    state = replace(state, flying=flying, outcome_bytes=min(total, state.limits.outcome_bytes + 1))
    state, write = recorded(state, event.seq, outcome)
    state, judge = asked(state)
    if state.phase == "draining":
        return _drained(state, (write, *judge))
    if state.phase == "running":
        return state, (write, *judge)
    return _progressed(state, (write, *judge))


# ---- deliveries --------------------------------------------------------------------------------------------------
def _progressed(state: State, commands: tuple[Command, ...]) -> Step:
    """Whatever has settled is delivered before any timer: records are delivered in the order of writing."""
    if state.inbox:
        running = replace(state, phase="running", inbox=(), wake=None)
        return running, (*commands, Deliver(state.inbox))
    if state.wake is not None:
        return state, (*commands, WaitTimer(state.wake))
    return _paused(state, commands) if state.quiet and state.held else (state, commands)


def _timer(state: State, event: TimerDue) -> Step:
    if state.wake is None or state.at < state.wake:
        raise IllegalEvent("TimerDue before a timer is due")
    if state.timers >= state.limits.timers:
        message = f"The code waited for timers more than {state.limits.timers} times."
        return _stopped(state, Ended("failed", name="TimerLimitError", message=message))
    clock = max(state.clock, state.at)
    running = replace(state, phase="running", wake=None, clock=clock, timers=state.timers + 1)
    return running, (Write(TimerRecord(clock)), Deliver((TimerDelivery(clock),)))


_HANDLERS: Final[Mapping[tuple[Phase, type], Callable[[State, Any], Step]]] = {
    ("new", Started): _started,
    ("new", Resumed): _resumed,
    ("new", WorkerLost): _lost,
    ("new", CancelRequested): _cancelled,
    ("replaying", Blocked): _replayed,
    ("replaying", Finished): _replayed,
    ("replaying", WorkerLost): _lost,
    ("replaying", DeadlineReached): _deadline,
    ("replaying", CancelRequested): _cancelled,
    ("running", Judged): _judged,
    ("running", Blocked): _blocked,
    ("running", Settled): _settled,
    ("running", Finished): _finished,
    ("running", WorkerLost): _lost,
    ("running", DeadlineReached): _deadline,
    ("running", CancelRequested): _cancelled,
    ("blocked", Judged): _judged,
    ("blocked", Settled): _settled,
    ("blocked", TimerDue): _timer,
    ("blocked", WorkerLost): _lost,
    ("blocked", DeadlineReached): _deadline,
    ("blocked", CancelRequested): _cancelled,
    ("draining", Judged): _judged,
    ("draining", Settled): _settled,
    ("draining", DeadlineReached): _deadline,
    ("draining", CancelRequested): _cancelled,
}
"""Every event that may happen, by state. What is not here is illegal."""
