"""What the system says about its own limits, when it has ended a worker or lets no further one start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Of cgroup v2, then v1: the file, and the line in it that counts how often the limit was hit.
_COUNTERS: Final = (
    ("", "memory.events", "oom_kill"),
    ("", "pids.events", "max"),
    ("memory", "memory.oom_control", "oom_kill"),
    ("pids", "pids.events", "max"),
)


def limits_hit(
    mounted: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> dict[str, int]:
    """How often limits of this process's control group were hit since it exists, by `file line`; none that is 0."""
    found: dict[str, int] = {}
    for controller, file, line in _COUNTERS:
        for folder in _folders(mounted, membership, controller):
            count = _count(folder / file, line)
            if count is not None:
                if count:
                    found[f"{file} {line}"] = count
                break
    return found


def _folders(mounted: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Inside a container the group's own path may not be there; then the mount's root is the group."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    root = mounted / controller if controller else mounted
    for one in lines:
        _, names, path = one.split(":", 2)
        if controller in names.split(","):
            yield root / path.lstrip("/")
    yield root


def _count(file: Path, line: str) -> int | None:
    try:
        for one in file.read_text().splitlines():
            name, _, value = one.partition(" ")
            if name == line:
                return int(value)
    except (OSError, ValueError):
        pass
    return None
