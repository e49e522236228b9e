"""Records survive being written and read."""

from __future__ import annotations

import pytest

from proxy.executions.journal import (
    CorruptJournal,
    DispatchRecord,
    Record,
    SettleRecord,
    StartRecord,
    TimerRecord,
    decode,
    encode,
)

RECORDS: list[Record] = [
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
    ],
)
def test_anything_else_is_a_corrupt_journal(line: bytes) -> None:
    with pytest.raises(CorruptJournal):
        decode(line)
