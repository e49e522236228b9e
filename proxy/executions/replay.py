"""Run an execution again from its journal: same code, same seed, same deliveries, and nothing is sent.

Sans-I/O: `Replay` is told what the worker asks for and answers what to deliver next. Because records are delivered one
at a time and in the order of writing, it does not matter how they were grouped the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proxy.calls.arguments import canonical, digest
from proxy.executions.journal import (
    CorruptJournal,
    DispatchRecord,
    Record,
    SettleRecord,
    StartRecord,
    TimerRecord,
)
from proxy.sandbox import Delivery, ResultDelivery, TimerDelivery, ToolCall


class Diverged(Exception):
    """The code asked for another call than the journal recorded. The text shows both."""


class Replay:
    """One pass over one journal. Raises `CorruptJournal` when it does not begin with a start."""

    def __init__(self, records: Sequence[Record]) -> None:
        if not records or not isinstance(records[0], StartRecord):
            raise CorruptJournal("a journal begins with its start")
        self.start: StartRecord = records[0]
        self._calls = {record.seq: record for record in records if isinstance(record, DispatchRecord)}
        self._deliveries = deliveries(records)
        self._made: dict[int, ToolCall] = {}
        self._at = 0

    def blocked(self, calls: Iterable[ToolCall]) -> Delivery | None:
        """What to deliver to a worker that made these calls and waits; None at the end of the journal.

        Raises `Diverged`.
        """
        for call in calls:
            self._check(call)
            self._made[call.seq] = call
        if self._at == len(self._deliveries):
            return None
        delivery = self._deliveries[self._at]
        if isinstance(delivery, ResultDelivery) and delivery.seq not in self._made:
            raise Diverged(f"the journal has a result for call {delivery.seq}, which the code has not made")
        self._at += 1
        return delivery

    def _check(self, call: ToolCall) -> None:
        recorded = self._calls.get(call.seq)
        if recorded is None:
            return  # refused, or still waiting for its turn when the journal ends
        asked = digest(canonical(call.args))
        if (recorded.path, recorded.digest) != (call.path, asked):
            before = f"{recorded.path} with arguments {recorded.digest[:12]}"
            raise Diverged(
                f"call {call.seq} was {before}, and now is {call.path} with arguments {asked[:12]}"
            )


def deliveries(records: Iterable[Record]) -> tuple[Delivery, ...]:
    """What a worker is given, in order, according to a journal."""
    found: list[Delivery] = []
    for record in records:
        if isinstance(record, SettleRecord):
            found.append(ResultDelivery(record.clock, record.seq, record.outcome))
        elif isinstance(record, TimerRecord):
            found.append(TimerDelivery(record.clock))
    return tuple(found)
