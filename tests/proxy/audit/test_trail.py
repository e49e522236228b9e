"""Events become lines; what cannot be written is counted and told by the next line that can."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from proxy.audit import AuditTrail, AuthFailureEvent, Chain, FileSink, verify


class Failing:
    """A sink whose disk is full until `mended`."""

    def __init__(self) -> None:
        self.written = b""
        self.tried = threading.Semaphore(0)
        self.mended = False

    def chain(self) -> Chain:
        return Chain()

    def write(self, lines: bytes) -> None:
        self.tried.release()
        if not self.mended:
            raise OSError(28, "No space left on device")
        self.written += lines

    def close(self) -> None:
        pass


EVENT = AuthFailureEvent(401, "unknown key", "127.0.0.1")


def test_lines_carry_the_config_and_stay_in_order(tmp_path: Path) -> None:
    counted: list[tuple[str, int]] = []
    path = tmp_path / "a.jsonl"
    with AuditTrail(
        FileSink(path), lambda: "c0ffee", outcome=lambda *told: counted.append(told), clock=lambda: 1.0
    ) as trail:
        for number in range(2000):
            trail.record(AuthFailureEvent(number, "no", "::1"))
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["status"] for line in lines] == list(range(2000))
    assert json.loads(lines[0])["config"] == "c0ffee"
    assert verify(lines).fault is None
    assert sum(count for _, count in counted) == 2000


def test_closing_twice_is_safe(tmp_path: Path) -> None:
    trail = AuditTrail(FileSink(tmp_path / "a.jsonl"), lambda: "")
    trail.close()
    trail.close()


def test_what_was_lost_is_told_when_the_disk_is_back() -> None:
    sink = Failing()
    counted: dict[str, int] = {}

    def outcome(outcome: str, lines: int) -> None:
        counted[outcome] = counted.get(outcome, 0) + lines

    trail = AuditTrail(sink, lambda: "", outcome=outcome)
    trail.record(EVENT)
    assert sink.tried.acquire(timeout=30)
    trail.record(EVENT)
    assert sink.tried.acquire(timeout=30)
    sink.mended = True
    trail.record(EVENT)
    trail.close()
    lines = sink.written.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["audit_gap", "auth_failure"]
    assert json.loads(lines[0])["lost"] == 2
    assert verify(lines).fault is None
    assert counted == {"lost": 2, "written": 2}
