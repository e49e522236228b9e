"""Records survive being written and read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    AskedBy,
    AskingCall,
    CorruptJournal,
    DispatchRecord,
    HoldRecord,
    LostCallQuestion,
    PauseRecord,
    Record,
    SettleRecord,
    StartRecord,
    TimerRecord,
    UpstreamQuestion,
    decode,
    encode,
    past_of,
)
from proxy.sandbox import ResultDelivery, TimerDelivery

APPROVED = ApprovalQuestion(
    "int_1",
    ("ws", "key:a"),
    "p",
    "POST /p",
    "{}",
    AskedBy("ask", "executor.yaml:7"),
    "human",
    1763700000003.0,
)
ASKING = AskingCall("p", "{}", "human", APPROVED)
LINK = ElicitationRequest("go", url="https://example.com/")
RECORDS: list[Record] = [
    HoldRecord(
        3, "p", "00" * 32, replace(APPROVED, rule=AskedBy("ask", "", "demo.*", "why"), approved_until_ms=0.0)
    ),
    HoldRecord(3, "p", "00" * 32, LostCallQuestion("int_2", "p", "{}", APPROVED)),
    HoldRecord(3, "p", "00" * 32, LostCallQuestion("int_2", "p", "{}")),
    HoldRecord(
        3,
        "p",
        "00" * 32,
        UpstreamQuestion(
            "int_3", ASKING, "a", ElicitationRequest("who?", {"type": "object"}), (("b", LINK),)
        ),
    ),
    HoldRecord(
        3,
        "p",
        "00" * 32,
        UpstreamQuestion(
            "int_3.1",
            ASKING,
            "b",
            LINK,
            answers={"a": ElicitationAnswer("accept", {"name": "Ada"})},
            number=1,
            rounds=2,
            state="sealed",
        ),
    ),
    PauseRecord(7.5),
    StartRecord("return 'ü'", "ab" * 32, 1763700000000.125, 1000, 1, 2, 3, 4),
    DispatchRecord(3, "demo.org.main.get", "00" * 32),
    SettleRecord(3, b'{"ok":true,"data":[1,2.5,null]}', 1763700000001.5),
    TimerRecord(1763700000002.0),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_one_line_and_reads_back_equal(record: Record) -> None:
    line = encode(record)
    assert b"\n" not in line
    assert decode(line) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"r":"other"}',
        b'{"r":"timer"}',
        b'{"r":"start","v":2}',
        b'{"r":"call","seq":1,"x":2}',
        b'{"r":"hold","seq":1,"path":"p","digest":"d","ask":{}}',
        b'{"r":"hold","seq":1,"path":"p","digest":"d","ask":{"kind":"other"}}',
    ],
)
def test_anything_else_is_a_corrupt_journal(line: bytes) -> None:
    with pytest.raises(CorruptJournal):
        decode(line)


def test_a_journal_of_another_version_says_which_it_is_and_which_can_be_read() -> None:
    with pytest.raises(CorruptJournal, match="it has version 2, and this server reads version 1 only"):
        decode(b'{"r":"start","v":2}')


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
    past = past_of(
        [
            START,
            HoldRecord(0, "p", EMPTY, APPROVED),
            DispatchRecord(0, "p", EMPTY),
            HoldRecord(0, "p", EMPTY, LostCallQuestion("int_2", "p", "{}", APPROVED)),
        ]
    )
    assert past.approvals[0] == APPROVED
    assert isinstance(past.last[0], HoldRecord)
