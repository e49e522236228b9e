"""What a journal says has happened."""

from __future__ import annotations

import pytest

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
from proxy.executions.past import Diverged, check, check_all_made, past_of
from proxy.sandbox import ResultDelivery, TimerDelivery, ToolCall

START = StartRecord("code", "00" * 32, 1.0, 10, 100, 100, 100, 100)
EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_journal_begins_with_its_start() -> None:
    empty: list[Record] = []
    for records in (empty, [TimerRecord(1.0)]):
        with pytest.raises(CorruptJournal):
            past_of(records)


def test_deliveries_clock_and_active_time() -> None:
    past = past_of(
        [
            START,
            DispatchRecord(0, "p", EMPTY),
            TimerRecord(2.0),
            SettleRecord(0, b"{}", 3.0),
            PauseRecord(7.5),
        ]
    )
    assert past.deliveries == (TimerDelivery(2.0), ResultDelivery(3.0, 0, b"{}"))
    assert (past.clock, past.active_ms, past.timers, past.outcome_bytes) == (3.0, 7.5, 1, 2)


def test_the_question_of_a_lost_call_does_not_replace_its_approval() -> None:
    asked = {"kind": "approval", "id": "int_1"}
    lost = {"kind": "outcome_unknown", "id": "int_2"}
    past = past_of(
        [
            START,
            HoldRecord(0, "p", EMPTY, asked),
            DispatchRecord(0, "p", EMPTY),
            HoldRecord(0, "p", EMPTY, lost),
        ]
    )
    assert past.asks[0] == asked
    assert isinstance(past.last[0], HoldRecord)


@pytest.mark.parametrize("call", [ToolCall(0, "other", {}), ToolCall(0, "p", {"changed": 1})])
def test_another_call_than_recorded_is_a_divergence_that_shows_both(call: ToolCall) -> None:
    past = past_of([START, DispatchRecord(0, "p", EMPTY)])
    check(past, ToolCall(0, "p", {}))
    check(past, ToolCall(1, "anything", {}))
    with pytest.raises(Diverged, match=r"`p` with arguments 44136fa355b3.*now is"):
        check(past, call)


def test_a_call_that_is_not_made_any_more_is_a_divergence() -> None:
    past = past_of([START, DispatchRecord(0, "p", EMPTY)])
    check_all_made(past, [0, 1])
    with pytest.raises(Diverged, match="not made"):
        check_all_made(past, [])
