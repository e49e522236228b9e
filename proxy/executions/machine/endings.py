"""How executions end, pause, and are left to another process. Part of the execution machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from proxy.executions.machine.events import (
    CancelRequested,
    DeadlineReached,
    Ended,
    Finish,
    Finished,
    HandOver,
    HandOverRequested,
    HeldUp,
    KillWorker,
    LostReason,
    MachineCommand,
    Pause,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import PauseRecord
from proxy.executions.machine.state import (
    NO_CALLS,
    NO_HELD,
    NO_JUDGED,
    IllegalEvent,
    MachineState,
    Phase,
    Transition,
)


def end(state: MachineState, commands: tuple[MachineCommand, ...], ended: Ended) -> Transition:
    """Over: what is under way is reported as unsettled."""
    judged = (one.call for one in (*state.judging.values(), *state.queue))
    parked = tuple(one.call for one in state.held.values() if one.parked)
    unsent = (*state.dropped, *judged, *(one.call for one in state.held.values() if not one.parked))
    ended = replace(ended, unsettled=(*state.flying.values(), *parked), unsent=unsent)
    return close(state, "finished"), (*commands, Finish(ended))


def pause(state: MachineState, commands: tuple[MachineCommand, ...]) -> Transition:
    """Wait for decisions on every held call, without a worker."""
    held = tuple(state.held[seq] for seq in sorted(state.held))
    last = (WriteRecord(PauseRecord(state.active_ms)), KillWorker(), Pause(held))
    return close(state, "paused"), (*commands, *last)


def close(state: MachineState, phase: Phase) -> MachineState:
    """Nothing happens in this run any more."""
    state = state._replace(
        phase=phase, flying=NO_CALLS, once=frozenset(), judging=NO_JUDGED, held=NO_HELD, queue=()
    )
    return state._replace(inbox=(), wake=None, past=None, made=())


def stop(state: MachineState, ended: Ended) -> Transition:
    """Over, whatever the worker is at."""
    return end(state, (KillWorker(),), ended)


def time_out(state: MachineState, event: DeadlineReached) -> Transition:
    """Raises `IllegalEvent` before the deadline."""
    limits = state.limits
    late = state.at - state.began >= limits.lifetime_ms
    if not late and state.active_ms < limits.active_ms:
        raise IllegalEvent("DeadlineReached before the deadline")
    if state.done is not None:
        return end(state, (), Ended("completed" if state.done.ok else "failed", state.done))
    spent = limits.lifetime_ms if late else limits.active_ms
    what = "in all" if late else "of active time"
    message = (
        f"The execution was stopped after {spent / 1000:g} s {what}. Do less at once, or raise timeoutMs."
    )
    return stop(state, Ended("timeout", name="TimeoutError", message=message))


def hand_over(state: MachineState, event: HandOverRequested) -> Transition:
    """Stop the worker, and leave when nothing can happen twice."""
    return leave(state._replace(phase="leaving", wake=None), (KillWorker(),))


def leave(state: MachineState, commands: tuple[MachineCommand, ...]) -> Transition:
    """Leave the rest to another run, once no call is under way that must not be sent twice."""
    if state.once:
        return state, commands
    return close(state, "paused"), (*commands, WriteRecord(PauseRecord(state.active_ms)), HandOver())


def ignore(state: MachineState, event: WorkerBlocked | Finished | WorkerLost | HeldUp) -> Transition:
    """What a killed worker says is dropped; but an execution that was lost to another process is not handed over."""
    if isinstance(event, WorkerLost) and event.reason == "store":
        return lose(state, event)
    return state, ()


def cancel(state: MachineState, event: CancelRequested) -> Transition:
    """The caller or the server ends it."""
    return stop(state, Ended("canceled", name="CanceledError", message=event.why))


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


def lose(state: MachineState, event: WorkerLost) -> Transition:
    """The worker is gone."""
    name, message = _LOST[event.reason]
    detail = f" ({event.detail})" if event.detail else ""
    return stop(state, Ended("failed", name=name, message=f"{message}{detail}"))
