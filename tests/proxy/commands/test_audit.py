"""`executor audit` on files that a trail wrote."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.audit import AuditTrail, CallEvent, FileSink, ReloadEvent, Who
from proxy.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    who = Who("ws", "bot")
    decision = {"action": "block", "rule": "no-writes", "source": "executor.yaml:9"}
    with AuditTrail(FileSink(path), lambda: "c0ffee", clock=lambda: 1_900_000_000.0) as trail:
        trail.record(ReloadEvent("applied", "start", 1))
        trail.record(
            CallEvent(
                who, "exec_1", None, 0, "a.get", "a.get", True, None, 1.0, {"value": {"q": "\u202eevil"}}
            )
        )
        trail.record(
            CallEvent(who, "exec_2", None, 0, "a.put", "a.put", False, "tool_blocked", 1.0, {}, decision)
        )
    return path


def test_a_whole_trail(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(path)]) == 0
    said = capsys.readouterr().out
    assert "whole: 3 lines" in said
    last = said.split("last: ")[1].strip()
    assert main(["audit", "verify", str(path), "--includes", last, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whole"] is True


def test_a_trail_from_a_pipe(path: Path) -> None:
    """As `audit.sink: stdout` gives it."""
    command = [sys.executable, "-m", "proxy", "audit", "verify", "-"]
    ran = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True)
    assert b"whole: 3 lines" in ran.stdout


def test_a_trail_whose_end_was_cut_off(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(path)]) == 0
    last = capsys.readouterr().out.split("last: ")[1].strip()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert main(["audit", "verify", str(path)]) == 0
    assert main(["audit", "verify", str(path), "--includes", last]) == 1
    assert "cut off" in capsys.readouterr().out


def test_t42_a_changed_trail(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(path.read_bytes().replace(b"a.get", b"b.get"))
    assert main(["audit", "verify", str(path)]) == 1
    assert "not whole: line 3:" in capsys.readouterr().out


def test_what_happened_to_a_tool(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", str(path), "--tool", "a.*", "--code", "tool_blocked"]) == 0
    said = capsys.readouterr().out
    assert "bot  a.put  tool_blocked  by no-writes (executor.yaml:9)  exec_2" in said


def test_t42_nothing_on_the_terminal_is_obeyed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", str(path)]) == 0
    assert "\u202e" not in capsys.readouterr().out


def test_lines_for_machines(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", str(path), "--event", "reload", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "applied"


def test_nothing_found(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", str(path), "--account", "nobody"]) == 1
    assert "nothing matches" in capsys.readouterr().err


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(tmp_path / "none")]) == 2
    assert "none: No such file" in capsys.readouterr().err


def test_no_time(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["audit", "query", str(path), "--since", "yesterday"])
    assert end.value.code == 2
    assert "2026-11-21" in capsys.readouterr().err
