"""Inner calls of one run: judged, sent, followed to their end or their question, and listed in the result."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from integrations.conversation import ElicitationRequest, InputNeeded, Reply
from integrations.json_text import read_json, write_json
from proxy.calls import Approval, ApprovalNeeded, CallContext, Calls, Ready, Settlement, Talk, WorkBudget
from proxy.calls.approval import ApprovalBinding
from proxy.executions.context import MillisecondClock, RunContext
from proxy.executions.machine.elicitation import answer_to, first_question
from proxy.executions.machine.events import (
    CallAsked,
    CallVerdict,
    Ended,
    HandOver,
    Hold,
    Judgement,
    MachineEvent,
    MaySend,
    Pause,
    Refuse,
    Settled,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    AskingCall,
    DispatchRecord,
    HoldRecord,
    Past,
    PauseRecord,
    SettleRecord,
    UpstreamQuestion,
)
from proxy.executions.open_calls import OpenCall, OpenCalls
from proxy.executions.questions import approval_question, asking_call, lost_call_question, new_id
from proxy.executions.result import CallEntry
from proxy.sandbox import ToolCall

LOST_CALLS: Final = 200
"""How many calls of a lost run the record lists."""


class InnerCalls:
    """What becomes of a call goes to `tell`, which never blocks. Tasks belong to the run; calls that may ask belong to
    `open_calls`, because they outlive a run that pauses.
    """

    def __init__(
        self,
        context: RunContext,
        calls: Calls,
        open_calls: OpenCalls,
        clock: MillisecondClock,
        tell: Callable[[MachineEvent], None],
    ) -> None:
        self._context = context
        self._calls = calls
        self._open_calls = open_calls
        self._clock = clock
        self._tell = tell
        self._admission = CallAdmission(context, calls)
        self._entries = CallEntries(context.past)

    # ---- for the machine ----------------------------------------------------------------------------------------
    def judge(self, judgement: Judgement) -> CallVerdict:
        """Whether the call may be sent now; one that is refused is over."""
        verdict, refused = self._admission.verdict(judgement)
        if refused is not None:
            call = judgement.call
            self._context.observer.call_started(call.seq, call.path)
            self._settle(call, refused)
        return verdict

    def guards(self, write: WriteRecord) -> bool:
        """Whether this record must not be lost."""
        return self._admission.guards(write)

    def note(self, record: SettleRecord) -> None:
        """The machine has settled a call."""
        self._entries.note(record)

    def listed(self, end: Ended | Pause | HandOver | None) -> tuple[CallEntry, ...]:
        """The inner calls so far."""
        return self._entries.listed(end, self._clock())

    # ---- under way ----------------------------------------------------------------------------------------------
    async def send(self, call: ToolCall) -> None:
        """Send a call that was judged to be sendable."""
        context = self._context
        self._entries.begin(call.seq, self._clock())
        context.observer.call_started(call.seq, call.path)
        ready = self._admission.sendable(call.seq)
        if ready.connection is None or not ready.connection.talks:
            self._ended(call, await self._calls.send(ready), None)
            return
        on_step = partial(context.observer.call_progress, call.seq, call.path)
        talk = Talk(on_step, context.execution_id, None, self._admission.reply(call.seq))
        asking = self._admission.asking(call.seq)
        send = partial(self._calls.send, ready)
        one = self._open_calls.begin(context.execution_id, call.seq, talk, send, asking)
        await self._follow(call, one)

    async def rejoin(self, call: ToolCall) -> None:
        """Follow a call that stayed under way during a pause."""
        context, continued = self._context, self._context.continued
        assert continued is not None
        one = self._open_calls.call(context.execution_id, call.seq)
        one.report_to(partial(context.observer.call_progress, call.seq, call.path))
        self._entries.begin(call.seq, continued.past.sent[call.seq].clock)
        resolution, question = continued.resolutions.get(call.seq), one.question
        if resolution is not None and question is not None and question.id == resolution.interaction:
            one.answer(answer_to(question, resolution.action, resolution.content))
        await self._follow(call, one)

    async def _follow(self, call: ToolCall, one: OpenCall) -> None:
        """Wait for its end; what it asks before is answered in another run."""
        outcome = await one.news()
        if isinstance(outcome, ElicitationRequest):
            self._tell(CallAsked(self._clock(), call.seq, one.pose(outcome)))
            outcome = await one.outcome()
        self._open_calls.forget(self._context.execution_id, call.seq)
        self._ended(call, outcome, one.asking)

    def _ended(self, call: ToolCall, outcome: Settlement | InputNeeded, asking: AskingCall | None) -> None:
        if isinstance(outcome, InputNeeded):
            question = first_question(new_id(), asking, outcome) if asking is not None else None
            if question is not None:
                self._tell(CallAsked(self._clock(), call.seq, question))
                return
            outcome = not_shown(call.path)
        self._settle(call, outcome)
        self._tell(Settled(self._clock(), call.seq, outcome.body))

    def _settle(self, call: ToolCall, settlement: Settlement) -> None:
        entry = self._entries.settle(call, settlement, self._clock())
        self._context.observer.call_finished(call.seq, call.path, entry.ok, entry.code, entry.ms)


def not_shown(path: str) -> Settlement:
    """The upstream asks what people cannot be shown as it is."""
    message = (
        f"The MCP server behind `{path}` asks for input in a form that cannot be shown; it was not answered."
    )
    error = {"code": "mcp_tool_error", "message": message, "retryable": False}
    return Settlement(write_json({"ok": False, "error": error}), False, "mcp_tool_error")


# ---- judged --------------------------------------------------------------------------------------------------------
class CallAdmission:
    """What may happen to the calls of one run now. Remembers what was found sendable, until it is sent."""

    def __init__(self, context: RunContext, calls: Calls) -> None:
        self._context = context
        self._calls = calls
        self._budget = WorkBudget()
        self._ready: dict[int, Ready] = {}
        self._guarded: set[int] = set()
        self._sent: dict[int, tuple[Judgement, Ready]] = {}
        if context.continued is not None:
            # Calls that are under way still are not judged again.
            past = context.continued.past
            self._guarded.update(seq for seq in context.continued.alive if not _repeatable(past, seq))

    def verdict(self, judgement: Judgement) -> tuple[CallVerdict, Settlement | None]:
        """The answer to the machine; the settlement when the call is refused."""
        context, call, approved = self._context, judgement.call, judgement.approved
        if judgement.lost:
            return Hold(lost_call_question(call, approved)), None
        approval = None
        if approved is not None:
            approval = Approval(
                cast(ApprovalBinding, approved.binding), approved.approved_until_ms, judgement.again
            )
        session = context.request.session_id
        about = CallContext(context.execution_id, session, call.seq, budget=self._budget)
        found = self._calls.judge(
            context.generation, context.principal, call.path, call.args, about, approval
        )
        if isinstance(found, Ready):
            self._ready[call.seq] = found
            self._sent[call.seq] = (judgement, found)
            if not found.repeatable:
                self._guarded.add(call.seq)
            return MaySend(found.repeatable), None
        if isinstance(found, ApprovalNeeded):
            return Hold(approval_question(found)), None
        return Refuse(found.body), found

    def sendable(self, seq: int) -> Ready:
        """What was judged to be sendable; once."""
        return self._ready.pop(seq)

    def reply(self, seq: int) -> Reply | None:
        """The answers that the call is sent with, if it has asked before."""
        return self._sent[seq][0].reply

    def asking(self, seq: int) -> AskingCall:
        """What a question of a sent call says about the call."""
        judgement, ready = self._sent[seq]
        return asking_call(judgement.call, ready, judgement.approved)

    def guards(self, write: WriteRecord) -> bool:
        """Whether losing this record could make something happen twice, or never be asked."""
        record = write.record
        if isinstance(record, DispatchRecord | SettleRecord):
            return record.seq in self._guarded
        return isinstance(record, HoldRecord | PauseRecord)


def _repeatable(past: Past, seq: int) -> bool:
    record = past.last.get(seq)
    return isinstance(record, DispatchRecord) and record.repeatable


# ---- listed --------------------------------------------------------------------------------------------------------
class CallEntries:
    """The list of inner calls in a result: what was sent, what came back, what was cut off, what never left.

    `past` is what happened before this run.
    """

    def __init__(self, past: Past | None) -> None:
        self._past = past
        self._begun: dict[int, float] = {}
        self._known: dict[int, CallEntry] = {}

    def begin(self, seq: int, now_ms: float) -> None:
        """The call is being sent."""
        self._begun[seq] = now_ms

    def settle(self, call: ToolCall, settlement: Settlement, now_ms: float) -> CallEntry:
        """The call is over."""
        took = now_ms - self._begun.get(call.seq, now_ms)
        entry = self._known[call.seq] = CallEntry(call.path, settlement.ok, settlement.code, took)
        return entry

    def note(self, record: SettleRecord) -> None:
        """A call that was decided against has its place in the list too."""
        if record.seq in self._known or self._past is None:
            return
        known = self._past.last.get(record.seq)
        if known is not None:
            code = code_of(record.outcome)
            self._known[record.seq] = CallEntry(known.path, code is None, code, 0.0)

    def listed(self, end: Ended | Pause | HandOver | None, now_ms: float) -> tuple[CallEntry, ...]:
        """In the order in which the code made them, with those that were cut off, held or never sent."""
        found = earlier(self._past) | self._known
        if isinstance(end, Ended):
            found |= self._left(end, now_ms)
        elif isinstance(end, Pause):
            for held in end.held:
                asks = isinstance(held.question, UpstreamQuestion)
                code = "input_required" if asks else "approval_required"
                found[held.call.seq] = CallEntry(held.call.path, False, code, 0.0)
        return tuple(found[seq] for seq in sorted(found))

    def _left(self, ended: Ended, now_ms: float) -> dict[int, CallEntry]:
        """The calls that had no outcome when the execution ended."""
        found: dict[int, CallEntry] = {}
        for call in ended.unsettled:
            begun = self._begun.get(call.seq)
            code = "not_sent" if begun is None else "outcome_unknown"
            found[call.seq] = CallEntry(call.path, False, code, now_ms - (begun or now_ms))
        for call in ended.unsent:
            code = "outcome_unknown" if self._was_sent(call.seq) else "not_sent"
            found[call.seq] = CallEntry(call.path, False, code, 0.0)
        return found

    def _was_sent(self, seq: int) -> bool:
        """Whether it left, with an outcome that nobody knows."""
        before = self._past.last.get(seq) if self._past is not None else None
        return seq in self._begun or isinstance(before, DispatchRecord)


def earlier(past: Past | None) -> dict[int, CallEntry]:
    """The calls that settled before the pause."""
    found: dict[int, CallEntry] = {}
    for seq, settled in past.outcomes.items() if past is not None else ():
        sent = past.last.get(seq) if past is not None else None
        began = past.sent[seq].clock if past is not None and seq in past.sent else settled.clock
        code = code_of(settled.outcome)
        path = sent.path if sent is not None else "(not sent)"
        found[seq] = CallEntry(path, code is None, code, max(0.0, settled.clock - began))
    return found


def lost_run(past: Past, since_ms: float) -> dict[str, Any]:
    """What the journal knows of a run whose process died: the calls that left after `since_ms`, when the run before it
    ended. Which replica it was, and what was decided, is not in a journal."""
    calls: list[dict[str, Any]] = []
    for seq, sent in past.last.items():
        if isinstance(sent, DispatchRecord) and sent.clock >= since_ms:
            settled = past.outcomes.get(seq)
            code = code_of(settled.outcome) if settled is not None else "outcome_unknown"
            ended_ms = settled.clock if settled is not None else past.clock
            call = {
                "seq": seq,
                "path": sent.path,
                "began_ms": sent.clock,
                "ms": max(0.0, ended_ms - sent.clock),
            }
            calls.append(call | ({"code": code} if code is not None else {}))
    began_ms = max(since_ms, past.start.now) if not calls else min(one["began_ms"] for one in calls)
    return {"lost": True, "began": began_ms, "ended": max(began_ms, past.clock), "calls": calls[:LOST_CALLS]}


def code_of(outcome: bytes) -> str | None:
    """The failure's code in a recorded outcome; None when it went well."""
    body = read_json(outcome)
    if not isinstance(body, dict):
        return None
    if "throw" in body:
        declined = body["throw"]["name"] == "ToolApprovalDeclinedError"
        return "approval_declined" if declined else "internal_error"
    return str(body["error"]["code"]) if body.get("ok") is False else None
