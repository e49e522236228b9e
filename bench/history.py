"""What earlier runs of `make bench` measured on this machine: `bench/results/history.jsonl`, one line a run.

Wall times here are good to a factor of 1.5 from one run to the next; CPU and memory to a tenth. A change is shown from
a twentieth on, so that what stands out is seen without being taken for a fact.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, float]]
_SHOWN = 0.05


def machine() -> str:
    """Runs with the same text may be compared."""
    return (
        f"{platform.node()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )


def last_of(file: Path, of_machine: str) -> dict[str, Any] | None:
    """The newest run of this machine. Lines that cannot be read, such as one that was cut, are passed over."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    for line in reversed(lines):
        try:
            run = json.loads(line)
        except ValueError:
            continue
        if isinstance(run, dict) and run.get("machine") == of_machine:
            return run
    return None


def record(file: Path, rows: Rows) -> None:
    """Add this run."""
    run = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "machine": machine(),
        "rows": {name: dict(figures) for name, figures in rows.items()},
    }
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(run) + "\n")


def changes(before: Rows, now: Rows) -> Iterable[str]:
    """One line for each figure that moved: name, figure, before, now, by how much."""
    for name, figures in now.items():
        for figure, value in figures.items():
            old = before.get(name, {}).get(figure)
            if old and abs(value / old - 1) >= _SHOWN:
                yield f"{name:<52} {figure:<12} {old:>10g} -> {value:>10g}  {value / old - 1:+.0%}"


def commit() -> str:
    """Of the checkout, with a `+` where files differ from it; `unknown` outside of one."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
