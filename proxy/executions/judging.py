"""From a call that the machine asks about to what may happen to it now. The only place where questions are made."""

from __future__ import annotations

from typing import Any

from integrations.conversation import Reply
from proxy.calls import Approval, ApprovalNeeded, CallContext, Calls, Ready, Settlement
from proxy.executions import inputs
from proxy.executions.job import Job
from proxy.executions.journal import DispatchRecord, HoldRecord, PauseRecord, SettleRecord
from proxy.executions.past import Past
from proxy.executions.protocol import Answer, Hold, Judgement, Refuse, Send, Write
from proxy.executions.questions import approval_ask, input_base, lost_ask


class Judging:
    """Of one run. Remembers what was found sendable, until it is sent."""

    def __init__(self, job: Job, calls: Calls) -> None:
        self._job = job
        self._calls = calls
        self._ready: dict[int, Ready] = {}
        self._guarded: set[int] = set()
        self._sent: dict[int, tuple[Judgement, Ready]] = {}
        if job.past is not None:
            # Calls that are under way still are not judged again.
            once = (seq for seq in job.alive if not _repeatable(job.past, seq))
            self._guarded.update(once)

    def answer(self, judgement: Judgement) -> tuple[Answer, Settlement | None]:
        """The answer to the machine; the settlement when the call is refused."""
        job, call = self._job, judgement.call
        if judgement.lost:
            return Hold(lost_ask(call, judgement.ask)), None
        approval = None
        if judgement.ask is not None:
            ask = judgement.ask
            approval = Approval(tuple(ask["binding"]), ask.get("expires", 0.0), judgement.again)
        context = CallContext(job.execution_id, job.session_id, call.seq)
        verdict = self._calls.judge(job.generation, job.principal, call.path, call.args, context, approval)
        if isinstance(verdict, Ready):
            self._ready[call.seq] = verdict
            self._sent[call.seq] = (judgement, verdict)
            if not verdict.repeatable:
                self._guarded.add(call.seq)
            return Send(verdict.repeatable), None
        if isinstance(verdict, ApprovalNeeded):
            return Hold(approval_ask(verdict)), None
        return Refuse(verdict.body), verdict

    def sendable(self, seq: int) -> Ready:
        """What was judged to be sendable; once."""
        return self._ready.pop(seq)

    def reply(self, seq: int) -> Reply | None:
        """The answers that the call is sent with, if it has asked before."""
        body = self._sent[seq][0].reply
        return inputs.reply(body) if body is not None else None

    def about(self, seq: int) -> dict[str, Any]:
        """What a question of a sent call says about the call."""
        judgement, ready = self._sent[seq]
        return input_base(judgement.call, ready, judgement.ask)

    def guards(self, write: Write) -> bool:
        """Whether losing this record could make something happen twice, or never be asked."""
        record = write.record
        if isinstance(record, DispatchRecord | SettleRecord):
            return record.seq in self._guarded
        return isinstance(record, HoldRecord | PauseRecord)


def _repeatable(past: Past, seq: int) -> bool:
    record = past.last.get(seq)
    return isinstance(record, DispatchRecord) and record.repeatable
