from __future__ import annotations

from pathlib import Path

import pytest

from proxy.sandbox.system_limits import limits_hit


def grouped(folder: Path, membership: str, files: dict[str, str]) -> dict[str, int]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    own = folder / "own"
    own.write_text(membership)
    return limits_hit(folder, own)


EVENTS = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\n"


@pytest.mark.parametrize(
    ("membership", "files", "hit"),
    [
        (
            "0::/pod/box\n",
            {"pod/box/memory.events": EVENTS, "pod/box/pids.events": "max 5\n"},
            {"memory.events oom_kill": 2, "pids.events max": 5},
        ),
        ("0::/not/mounted\n", {"memory.events": EVENTS}, {"memory.events oom_kill": 2}),
        ("0::/\n", {"memory.events": "oom_kill 0\n", "pids.events": "max 0\n"}, {}),
        (
            "4:memory:/box\n8:pids:/\n",
            {
                "memory/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
                "pids/pids.events": "max 1\n",
            },
            {"memory.oom_control oom_kill": 3, "pids.events max": 1},
        ),
        ("0::/\n", {"memory.events": "no numbers\noom_kill x\n"}, {}),
        ("", {}, {}),
    ],
)
def test_what_the_control_group_counts(
    tmp_path: Path, membership: str, files: dict[str, str], hit: dict[str, int]
) -> None:
    assert grouped(tmp_path, membership, files) == hit


def test_without_control_groups_nothing_is_known(tmp_path: Path) -> None:
    assert limits_hit(tmp_path, tmp_path / "none") == {}
