"""The systemd unit and the Compose project, judged by the programs that will read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.tools import KIT, run

UNIT = KIT / "systemd" / "executor.service"
SOCKETS = [KIT / "systemd" / name for name in ("executor.socket", "executor-metrics.socket")]


@pytest.mark.deploy("systemd-analyze")
def test_the_unit_is_understood_whole(tmp_path: Path) -> None:
    """A misspelt key is a warning on stderr with exit code 0."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/executor", "/bin/true"))
    for socket in SOCKETS:
        (tmp_path / socket.name).write_text(socket.read_text())
    done = run("systemd-analyze", "verify", copy, *(tmp_path / socket.name for socket in SOCKETS))
    assert done.stderr == ""


@pytest.mark.deploy("systemd-analyze")
def test_the_unit_is_locked_down() -> None:
    run("systemd-analyze", "security", "--offline=true", "--threshold=25", UNIT)


def test_the_unit_says_when_not_to_start_again() -> None:
    text = UNIT.read_text()
    assert "RestartPreventExitStatus=78" in text
    assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) > 25  # type: ignore[index]


@pytest.mark.deploy("check-jsonschema")
def test_the_compose_project_is_understood() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", KIT / "compose.yaml")
