"""Runs of the benchmark are kept and compared with the last one of the same machine."""

from __future__ import annotations

import json
from pathlib import Path

from bench import history

ROWS = {"trivial execute": {"p50_ms": 2.0, "p99_ms": 5.0}, "memory": {"mb": 100.0}}


def test_nothing_to_compare_with(tmp_path: Path) -> None:
    assert history.last_of(tmp_path / "history.jsonl", history.machine()) is None


def test_the_newest_run_of_this_machine_is_found(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    history.record(file, {"memory": {"mb": 1.0}})
    history.record(file, ROWS)
    other = {"machine": "another", "rows": {"memory": {"mb": 7.0}}}
    with file.open("a") as out:
        out.write(json.dumps(other) + '\n{"machine": "cut')
    found = history.last_of(file, history.machine())
    assert found is not None
    assert found["rows"] == ROWS
    assert found["commit"]


def test_what_moved_is_told() -> None:
    now = {"trivial execute": {"p50_ms": 3.0, "p99_ms": 5.1}, "memory": {"mb": 90.0}, "new": {"mb": 1.0}}
    lines = [line.split() for line in history.changes(ROWS, now)]
    assert [(line[-5], line[-4], line[-2], line[-1]) for line in lines] == [
        ("p50_ms", "2", "3", "+50%"),
        ("mb", "100", "90", "-10%"),
    ]
