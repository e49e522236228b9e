"""The list of inner calls in a result: what was sent, what came back, what was cut off, what never left."""

from __future__ import annotations

import orjson

from proxy.calls import Settlement
from proxy.executions.inputs import KINDS
from proxy.executions.journal import DispatchRecord, SettleRecord
from proxy.executions.outcome import CallEntry
from proxy.executions.past import Past
from proxy.executions.protocol import Ended, HandOver, Pause
from proxy.sandbox import ToolCall


class Entries:
    """The calls of one run. `past` is what happened before it; times are milliseconds since 1970."""

    def __init__(self, past: Past | None) -> None:
        self._past = past
        self._begun: dict[int, float] = {}
        self._known: dict[int, CallEntry] = {}

    def begin(self, seq: int, now: float) -> None:
        """The call is being sent."""
        self._begun[seq] = now

    def settle(self, call: ToolCall, settlement: Settlement, now: float) -> CallEntry:
        """The call is over."""
        took = now - self._begun.get(call.seq, now)
        entry = self._known[call.seq] = CallEntry(call.path, settlement.ok, settlement.code, took)
        return entry

    def decide(self, record: SettleRecord) -> None:
        """A call that was decided against has its place in the list too."""
        if record.seq in self._known or self._past is None:
            return
        known = self._past.last.get(record.seq)
        if known is not None:
            code = code_of(record.outcome)
            self._known[record.seq] = CallEntry(known.path, code is None, code, 0.0)

    def listed(self, end: Ended | Pause | HandOver | None, now: float) -> tuple[CallEntry, ...]:
        """In the order in which the code made them, with those that were cut off, held or never sent."""
        found = earlier(self._past) | self._known
        if isinstance(end, Ended):
            found |= self._left(end, now)
        elif isinstance(end, Pause):
            for held in end.held:
                code = "input_required" if held.ask.get("kind") in KINDS else "approval_required"
                found[held.call.seq] = CallEntry(held.call.path, False, code, 0.0)
        return tuple(found[seq] for seq in sorted(found))

    def _left(self, ended: Ended, now: float) -> dict[int, CallEntry]:
        """The calls that had no outcome when the execution ended."""
        found: dict[int, CallEntry] = {}
        for call in ended.unsettled:
            begun = self._begun.get(call.seq)
            code = "not_sent" if begun is None else "outcome_unknown"
            found[call.seq] = CallEntry(call.path, False, code, now - (begun or now))
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


def code_of(outcome: bytes) -> str | None:
    """The failure's code in a recorded outcome; None when it went well."""
    body = orjson.loads(outcome)
    if not isinstance(body, dict):
        return None
    if "throw" in body:
        declined = body["throw"]["name"] == "ToolApprovalDeclinedError"
        return "approval_declined" if declined else "internal_error"
    return str(body["error"]["code"]) if body.get("ok") is False else None
