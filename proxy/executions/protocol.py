"""What goes into the execution machine and what comes out. Every event carries its time: `at`, milliseconds since
1970, from one clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from proxy.executions.journal import Record, StartRecord
from proxy.sandbox import Delivery, Done, ToolCall

Status = Literal["completed", "failed", "timeout", "canceled"]
LostReason = Literal["memory", "cpu", "crash", "protocol", "killed", "store", "unavailable"]


@dataclass(frozen=True, slots=True)
class Started:
    """Begin. `start.now` is the virtual clock's start."""

    at: float
    start: StartRecord


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing can progress in the worker: the calls it made since its last message, and its earliest timer."""

    at: float
    calls: tuple[ToolCall, ...]
    wake: float | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A dispatched call ended. `outcome` is the JSON that agent code will see."""

    at: float
    seq: int
    outcome: bytes


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time asked for by `WaitTimer` has come."""

    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The worker's last word. `done.calls` have not been sent yet."""

    at: float
    done: Done


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker ended before the code did, or there never was one."""

    at: float
    reason: LostReason
    detail: str


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """`machine.deadline` has come."""

    at: float


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The caller went away, or the server drains. `why` is a sentence for the result."""

    at: float
    why: str


Event = Started | Blocked | Settled | TimerDue | Finished | WorkerLost | DeadlineReached | CancelRequested


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Send the code to a fresh worker, and report what it says."""

    start: StartRecord


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Send this call and report its end with `Settled`. Its record comes before it."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give these to the worker, in this order, and report what it says."""

    events: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class WaitTimer:
    """Report `TimerDue` at this time, unless something else is delivered before."""

    at: float


@dataclass(frozen=True, slots=True)
class Write:
    """Store the record before any command that follows is carried out."""

    record: Record


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End the worker; nothing it says counts any more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an execution ended. `done` is set when the code itself ended; else `message` says what happened.

    `name` is what agents know the failure by (`TimeoutError`). `unsettled` calls were sent and their outcome is not
    known; `unsent` calls never left.
    """

    status: Status
    done: Done | None = None
    name: str = ""
    message: str = ""
    unsettled: tuple[ToolCall, ...] = ()
    unsent: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution is over; calls still under way are cancelled."""

    ended: Ended


Command = StartWorker | Dispatch | Deliver | WaitTimer | Write | KillWorker | Finish
