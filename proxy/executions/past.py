"""What a journal says has happened: read once, asked while the worker is brought back to where it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from proxy.calls.canonical import NotCanonical, canonical, digest
from proxy.executions.journal import (
    CorruptJournal,
    DispatchRecord,
    HoldRecord,
    PauseRecord,
    Record,
    SettleRecord,
    StartRecord,
    TimerRecord,
)
from proxy.sandbox import Delivery, ResultDelivery, TimerDelivery, ToolCall


class Diverged(Exception):
    """The code asked for another call than the journal recorded. The text shows both."""


@dataclass(frozen=True, slots=True)
class Past:
    """`last` is the last dispatch or hold of each call, `asks` its last question that was about an approval.

    `deliveries` is what the worker was given, in order; `clock` where the virtual clock stands; `outcomes` are the
    settlements by call, `sent` the first dispatch of each, for the list of calls in the result.
    """

    start: StartRecord
    deliveries: tuple[Delivery, ...]
    last: Mapping[int, DispatchRecord | HoldRecord]
    asks: Mapping[int, dict[str, Any]]
    outcomes: Mapping[int, SettleRecord]
    sent: Mapping[int, DispatchRecord]
    clock: float
    active_ms: float

    @property
    def outcome_bytes(self) -> int:
        return sum(len(one.outcome) for one in self.outcomes.values())

    @property
    def timers(self) -> int:
        return sum(isinstance(one, TimerDelivery) for one in self.deliveries)


def past_of(records: Sequence[Record]) -> Past:
    """Raises `CorruptJournal` when it does not begin with its start."""
    if not records or not isinstance(records[0], StartRecord):
        raise CorruptJournal("a journal begins with its start")
    start = records[0]
    last: dict[int, DispatchRecord | HoldRecord] = {}
    asks: dict[int, dict[str, Any]] = {}
    sent: dict[int, DispatchRecord] = {}
    active = 0.0
    for record in records:
        if isinstance(record, DispatchRecord | HoldRecord):
            last[record.seq] = record
        if isinstance(record, DispatchRecord):
            sent.setdefault(record.seq, record)
        elif isinstance(record, HoldRecord) and record.ask.get("kind") == "approval":
            asks[record.seq] = record.ask
        elif isinstance(record, PauseRecord):
            active = record.active_ms
    given = deliveries(records)
    return Past(
        start=start,
        deliveries=given,
        last=MappingProxyType(last),
        asks=MappingProxyType(asks),
        outcomes=MappingProxyType({one.seq: one for one in records if isinstance(one, SettleRecord)}),
        sent=MappingProxyType(sent),
        clock=max((one.now for one in given), default=start.now),
        active_ms=active,
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


def check(past: Past, call: ToolCall) -> None:
    """Raises `Diverged` when the journal knows this call as another one."""
    recorded = past.last.get(call.seq)
    if recorded is None:
        return  # refused by a limit, or still waiting for its turn when the journal ends
    try:
        asked = digest(canonical(call.args))
    except NotCanonical:
        asked = "that have no canonical form"
    if (recorded.path, recorded.digest) != (call.path, asked):
        before = f"`{recorded.path}` with arguments {recorded.digest[:12]}"
        raise Diverged(f"call {call.seq} was {before}, and now is `{call.path}` with arguments {asked[:12]}")


def check_all_made(past: Past, made: Iterable[int]) -> None:
    """Raises `Diverged` when the code has not made a call that the journal knows."""
    missing = past.last.keys() - set(made)
    if missing:
        seq = min(missing)
        recorded = past.last[seq]
        raise Diverged(
            f"call {seq} was `{recorded.path}` with arguments {recorded.digest[:12]}, and now is not made"
        )
