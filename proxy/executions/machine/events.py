"""What goes into the execution machine and what comes out. Every event carries its time: `at`, milliseconds since
1970, from one clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from integrations.conversation import ElicitAction, Reply
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    Past,
    Question,
    Record,
    StartRecord,
    UpstreamQuestion,
)
from proxy.sandbox.messages import Delivery, Done, ToolCall

Status = Literal["completed", "failed", "timeout", "canceled"]
LostReason = Literal["memory", "cpu", "crash", "protocol", "killed", "store", "unavailable", "diverged"]
LostCallOutcome = Literal["retry", "done", "fail"]
LOST_CALL_OUTCOMES: Final[tuple[LostCallOutcome, ...]] = get_args(LostCallOutcome)
ResolutionAction = ElicitAction | LostCallOutcome | Literal["expired", "ask_again"]
"""`retry`, `done` and `fail` settle a call whose outcome is unknown; `expired` stands for no answer in time, and
`ask_again` for an approval that was used up without this call.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """Begin. `start.now` is the virtual clock's start."""

    at: float
    start: StartRecord


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was decided about a held call. `interaction` was decided on; `expires_at_ms` is when its approval ends.
    `by_person`: a person is known to have decided."""

    action: ResolutionAction
    content: Mapping[str, Any]
    interaction: str = ""
    expires_at_ms: float = 0.0
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Resumed:
    """Begin again where a journal ends. `resolutions` are the decisions known now, by call; `alive` are calls that are
    still under way in this process, because they asked in the middle.
    """

    at: float
    past: Past
    resolutions: Mapping[int, Resolution]
    alive: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MaySend:
    """The call may go out now. `repeatable`: it may go out again after a crash."""

    repeatable: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call will not be sent; `outcome` is the JSON that agent code sees."""

    outcome: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """The call waits until somebody has answered this."""

    question: Question


CallVerdict = MaySend | Refuse | Hold


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the calls of a `Judge`, by number."""

    at: float
    verdicts: tuple[tuple[int, CallVerdict], ...]


@dataclass(frozen=True, slots=True)
class WorkerBlocked:
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
class CallAsked:
    """A dispatched call asks. If the question is `parked`, the call is under way still and waits for the answer; else
    it ended with the question, and the answer goes out with another request.
    """

    at: float
    seq: int
    question: UpstreamQuestion


@dataclass(frozen=True, slots=True)
class HeldUp:
    """The worker begins or ends to wait for something that is not its own work: its code waits to be compiled."""

    at: float
    waits: bool


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
    """The time of `state.deadline` has come."""

    at: float


@dataclass(frozen=True, slots=True)
class HandOverRequested:
    """The server drains: stop here as soon as another process can continue without doing anything twice."""

    at: float


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The caller went away, or the server drains. `why` is a sentence for the result."""

    at: float
    why: str


MachineEvent = (
    Started
    | Resumed
    | Judged
    | WorkerBlocked
    | Settled
    | CallAsked
    | HeldUp
    | TimerDue
    | Finished
    | WorkerLost
    | DeadlineReached
    | HandOverRequested
    | CancelRequested
)


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Send the code to a fresh worker, and report what it says."""

    start: StartRecord


@dataclass(frozen=True, slots=True)
class Judgement:
    """A call to be judged. `approved` is set when it was approved: the approval is bound to what the question says.

    `again`: it was sent before, under this approval if it needed one. `lost`: it was under way when a proxy died, and
    may not be repeated unasked. `reply` answers what the call asked; `uses` is the interaction that was decided on.
    """

    call: ToolCall
    approved: ApprovalQuestion | None = None
    again: bool = False
    lost: bool = False
    reply: Reply | None = None
    uses: str | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge these calls now and report `Judged`, before any other event."""

    calls: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class DispatchCall:
    """Send this call and report its end with `Settled`. Its record comes before it."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Rejoin:
    """This call is under way still: give it what was decided, and report its end with `Settled`."""

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
class WriteRecord:
    """Store the record before any command that follows is carried out.

    `uses` names the interaction whose approval this record uses up: both happen or neither.
    """

    record: Record
    uses: str | None = None


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End the worker; nothing it says counts any more."""


@dataclass(frozen=True, slots=True)
class HeldCall:
    """A call that needs a decision, and the question."""

    call: ToolCall
    question: Question

    @property
    def parked(self) -> bool:
        """Whether it is under way, in the process that asked."""
        return isinstance(self.question, UpstreamQuestion) and self.question.parked


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing can progress without decisions on these, in the order of the calls. Everything is on record."""

    held: tuple[HeldCall, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Another run continues from the journal: what is under way may be sent again. Everything is on record."""


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


MachineCommand = (
    StartWorker
    | Judge
    | DispatchCall
    | Rejoin
    | Deliver
    | WaitTimer
    | WriteRecord
    | KillWorker
    | Pause
    | HandOver
    | Finish
)
