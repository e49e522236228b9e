"""What an execution does next: `(state, event) -> (state, commands)`. No clock, no I/O, no await.

    new -> running <-> blocked -> finished
              `-> draining -----^

`running`: the worker computes. `blocked`: it waits for calls or timers. `draining`: the code has ended, calls that it
never awaited are still under way.

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
- Whatever ends the execution from outside (deadline, cancel, lost worker) does not wait: calls under way are cut off
  and reported as `unsettled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

from proxy.calls.arguments import NotCanonical, canonical, digest
from proxy.executions.journal import DispatchRecord, SettleRecord, TimerRecord
from proxy.executions.protocol import (
    Blocked,
    CancelRequested,
    Command,
    DeadlineReached,
    Deliver,
    Dispatch,
    Ended,
    Event,
    Finish,
    Finished,
    KillWorker,
    LostReason,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerLost,
    Write,
)
from proxy.sandbox import Delivery, Done, ResultDelivery, TimerDelivery, ToolCall

Phase = Literal["new", "running", "blocked", "draining", "finished"]
_NONE: Final[Mapping[int, ToolCall]] = MappingProxyType({})


class IllegalEvent(Exception):
    """This event cannot happen in this state."""


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Milliseconds, bytes, and numbers. `refusals`: calls over the limit before the execution is ended.

    `outcome_bytes` is over all outcomes of one execution: they are held, journalled and delivered.
    """

    active_ms: float = 300_000.0
    lifetime_ms: float = 3_600_000.0
    calls: int = 1000
    parallel: int = 64
    refusals: int = 10_000
    timers: int = 20_000
    argument_bytes: int = 1024 * 1024
    outcome_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """Everything the machine knows. `at` is the time of the last event, `clock` the virtual clock last recorded.

    `flying` are calls sent and not settled, by number; `queue` those that wait for a place; `inbox` what settled and
    was not delivered yet; `dropped` what code made and will never be sent.
    """

    limits: MachineLimits
    phase: Phase = "new"
    began: float = 0.0
    at: float = 0.0
    clock: float = 0.0
    active_ms: float = 0.0
    next_seq: int = 0
    sent: int = 0
    refused: int = 0
    timers: int = 0
    outcome_bytes: int = 0
    wake: float | None = None
    flying: Mapping[int, ToolCall] = field(default_factory=lambda: _NONE)
    queue: tuple[ToolCall, ...] = ()
    inbox: tuple[Delivery, ...] = ()
    dropped: tuple[ToolCall, ...] = ()
    done: Done | None = None

    @property
    def active(self) -> bool:
        """Whether time counts against the caller's timeout now."""
        return self.phase == "running" or (self.phase == "blocked" and not self.flying)


Step = tuple[State, tuple[Command, ...]]


def step(state: State, event: Event) -> Step:
    """The next state and what to do now, in order. Raises `IllegalEvent`; the state is then still valid."""
    handler = _HANDLERS.get((state.phase, type(event)))
    if handler is None:
        raise IllegalEvent(f"{type(event).__name__} while {state.phase}")
    return handler(_advanced(state, event.at), event)


def deadline(state: State) -> float | None:
    """When `DeadlineReached` is due if nothing else happens before; None when nothing runs."""
    if state.phase in ("new", "finished"):
        return None
    last = state.began + state.limits.lifetime_ms
    return min(last, state.at + state.limits.active_ms - state.active_ms) if state.active else last


def _advanced(state: State, at: float) -> State:
    """Time passed. A clock that was set back passes for one that stood still."""
    passed = max(0.0, at - state.at)
    used = state.active_ms + (passed if state.active else 0.0)
    return replace(state, at=max(state.at, at), active_ms=used)


# ---- beginning and end -------------------------------------------------------------------------------------------
def _started(state: State, event: Started) -> Step:
    now = event.start.now
    state = replace(state, phase="running", began=event.at, at=event.at, active_ms=0.0, clock=now)
    return state, (Write(event.start), StartWorker(event.start))


def _finished(state: State, event: Finished) -> Step:
    done = event.done
    if not done.ok:
        dropped = (*state.queue, *done.calls)
        return _drained(replace(state, phase="draining", done=done, queue=(), dropped=dropped), ())
    state, commands = _admitted(replace(state, phase="draining", done=done), done.calls)
    return _drained(state, commands)


def _drained(state: State, commands: tuple[Command, ...]) -> Step:
    if state.flying or state.queue:
        return state, commands
    assert state.done is not None
    return _ended(state, commands, Ended("completed" if state.done.ok else "failed", state.done))


def _ended(state: State, commands: tuple[Command, ...], ended: Ended) -> Step:
    ended = replace(ended, unsettled=tuple(state.flying.values()), unsent=(*state.dropped, *state.queue))
    over = replace(state, phase="finished", flying=_NONE, queue=(), inbox=(), wake=None)
    return over, (*commands, Finish(ended))


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
    "unavailable": ("SandboxUnavailable", "No sandbox is free at the moment; try again shortly."),
}


def _lost(state: State, event: WorkerLost) -> Step:
    name, message = _LOST[event.reason]
    detail = f" ({event.detail})" if event.detail else ""
    return _stopped(state, Ended("failed", name=name, message=f"{message}{detail}"))


# ---- calls -------------------------------------------------------------------------------------------------------
def _blocked(state: State, event: Blocked) -> Step:
    state, commands = _admitted(replace(state, phase="blocked", wake=event.wake), event.calls)
    if state.refused > state.limits.refusals:
        message = f"The code kept calling tools after the limit of {state.limits.calls} calls."
        return _stopped(state, Ended("failed", name="CallLimitError", message=message))
    if not (state.inbox or state.flying) and state.wake is None:
        message = "The code waits for something that can never happen: no call and no timer is pending."
        return _stopped(state, Ended("failed", name="Error", message=message))
    return _progressed(state, commands)


def _admitted(state: State, calls: tuple[ToolCall, ...]) -> Step:
    """Take in new calls: refuse what is over a limit, queue the rest, send what fits. Raises `IllegalEvent`."""
    queued = list(state.queue)
    refusals: list[tuple[int, bytes]] = []
    expected, sent = state.next_seq, state.sent
    for call in calls:
        if call.seq != expected:
            raise IllegalEvent(f"call {call.seq} came where {expected} was due")
        expected += 1
        refusal = _LIMIT_REACHED if sent >= state.limits.calls else _unsendable(call, state.limits)
        if refusal is None:
            queued.append(call)
            sent += 1
        else:
            refusals.append((call.seq, refusal))
    state = replace(state, next_seq=expected, sent=sent, queue=tuple(queued))
    commands: list[Command] = []
    for seq, refusal in refusals:
        state, write = _recorded(state, seq, refusal)
        commands.append(write)
    state = replace(state, refused=state.refused + sum(one is _LIMIT_REACHED for _, one in refusals))
    state, dispatches = _dispatched(state)
    return state, (*commands, *dispatches)


def _failure(code: str, message: str) -> bytes:
    return orjson.dumps({"ok": False, "error": {"code": code, "message": message, "retryable": False}})


_LIMIT_REACHED: Final = _failure(
    "call_limit_exceeded", "This execution has made as many calls as it may. Split the work."
)
_TOO_MANY_BYTES: Final = _failure(
    "upstream_response_too_large", "The calls of this execution have returned as many bytes as it may hold."
)


def _unsendable(call: ToolCall, limits: MachineLimits) -> bytes | None:
    try:
        size = len(canonical(call.args))
    except NotCanonical as why:
        return _failure("invalid_tool_arguments", f"The arguments cannot be sent: {why}.")
    if size <= limits.argument_bytes:
        return None
    return _failure("invalid_tool_arguments", f"The arguments are larger than {limits.argument_bytes} bytes.")


def _dispatched(state: State) -> Step:
    places = state.limits.parallel - len(state.flying)
    if not state.queue or places <= 0:
        return state, ()
    now, later = state.queue[:places], state.queue[places:]
    commands: list[Command] = []
    for call in now:
        commands += (Write(DispatchRecord(call.seq, call.path, digest(canonical(call.args)))), Dispatch(call))
    flying = MappingProxyType({**state.flying, **{call.seq: call for call in now}})
    return replace(state, queue=later, flying=flying), tuple(commands)


def _settled(state: State, event: Settled) -> Step:
    if event.seq not in state.flying:
        raise IllegalEvent(f"call {event.seq} is not under way")
    flying = MappingProxyType({seq: call for seq, call in state.flying.items() if seq != event.seq})
    total = state.outcome_bytes + len(event.outcome)
    outcome = event.outcome if total <= state.limits.outcome_bytes else _TOO_MANY_BYTES
    state = replace(state, flying=flying, outcome_bytes=min(total, state.limits.outcome_bytes + 1))
    state, write = _recorded(state, event.seq, outcome)
    state, dispatches = _dispatched(state)
    if state.phase == "draining":
        return _drained(replace(state, inbox=()), (write, *dispatches))
    if state.phase == "running":
        return state, (write, *dispatches)
    return _progressed(state, (write, *dispatches))


def _recorded(state: State, seq: int, outcome: bytes) -> tuple[State, Write]:
    clock = max(state.clock, state.at)
    state = replace(state, clock=clock, inbox=(*state.inbox, ResultDelivery(clock, seq, outcome)))
    return state, Write(SettleRecord(seq, outcome, clock))


# ---- deliveries --------------------------------------------------------------------------------------------------
def _progressed(state: State, commands: tuple[Command, ...]) -> Step:
    """Whatever has settled is delivered before any timer: records are delivered in the order of writing."""
    if state.inbox:
        running = replace(state, phase="running", inbox=(), wake=None)
        return running, (*commands, Deliver(state.inbox))
    if state.wake is not None:
        return state, (*commands, WaitTimer(state.wake))
    return state, commands


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
    ("new", WorkerLost): _lost,
    ("new", CancelRequested): _cancelled,
    ("running", Blocked): _blocked,
    ("running", Settled): _settled,
    ("running", Finished): _finished,
    ("running", WorkerLost): _lost,
    ("running", DeadlineReached): _deadline,
    ("running", CancelRequested): _cancelled,
    ("blocked", Settled): _settled,
    ("blocked", TimerDue): _timer,
    ("blocked", WorkerLost): _lost,
    ("blocked", DeadlineReached): _deadline,
    ("blocked", CancelRequested): _cancelled,
    ("draining", Settled): _settled,
    ("draining", DeadlineReached): _deadline,
    ("draining", CancelRequested): _cancelled,
}
"""Every event that may happen, by state. What is not here is illegal."""
