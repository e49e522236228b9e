"""The lines of one execution, and whether the chain holds as far as it was read."""

from __future__ import annotations

from pathlib import Path

from proxy.audit.chain import Chain
from proxy.history.audit_lines import audit_extract


def trail(file: Path, count: int) -> Path:
    chain = Chain()
    lines = [chain.line(float(n), "call", {"executionId": f"exec_{n % 3}", "call": n}) for n in range(count)]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


async def test_the_lines_of_one_execution(tmp_path: Path) -> None:
    found = await audit_extract(trail(tmp_path / "audit.jsonl", 10), "exec_1")
    assert [one["call"] for one in found.records] == [1, 4, 7]
    assert found.chain == "The chain is whole over 10 lines."
    assert not found.problem


async def test_a_changed_line_is_named(tmp_path: Path) -> None:
    file = trail(tmp_path / "audit.jsonl", 10)
    file.write_bytes(file.read_bytes().replace(b'"call":5', b'"call":6'))
    found = await audit_extract(file, "exec_1")
    assert found.chain.startswith("The chain is broken: line 7 of 7 lines: the line before it was changed")


async def test_only_the_end_of_a_long_trail_is_read_and_that_is_said(tmp_path: Path) -> None:
    file = trail(tmp_path / "audit.jsonl", 100)
    found = await audit_extract(file, "exec_0", tail_bytes=2000)
    assert not found.whole_file
    assert found.chain.startswith("The chain is whole over the last ")
    assert [one["call"] for one in found.records][-1] == 99


async def test_a_line_that_is_being_written_is_no_fault(tmp_path: Path) -> None:
    file = trail(tmp_path / "audit.jsonl", 4)
    file.write_bytes(file.read_bytes() + b'{"seq": 4, "ti')
    found = await audit_extract(file, "exec_0")
    assert found.chain == "The chain is whole over 4 lines."


async def test_why_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert "audit.sink" in (await audit_extract(None, "exec_1")).problem
    missing = await audit_extract(tmp_path / "none.jsonl", "exec_1")
    assert missing.problem == "The audit trail cannot be read: No such file or directory."
