"""How another terminal runs this program."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from proxy.commands.own_command import own_command


def installed(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "executor"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize("name", ["bin", "my bin"])
def test_the_full_path_where_the_shell_would_not_find_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = installed(tmp_path / name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(script), "serve"])
    assert shlex.split(own_command()) == [str(script)]


def test_a_relative_path_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = installed(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./executor", "serve"])
    assert Path(own_command()) == script


def test_its_name_where_the_shell_finds_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = installed(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin")
    monkeypatch.setattr(sys, "argv", [str(script), "serve"])
    assert own_command() == "executor"


def test_another_program_of_that_name_is_not_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, other = installed(tmp_path / "ours"), installed(tmp_path / "theirs")
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "argv", [str(script), "serve"])
    assert Path(own_command()) == script


def test_the_module_where_no_script_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path(__file__).parents[3] / "proxy" / "__main__.py")])
    assert shlex.split(own_command()) == [sys.executable, "-m", "proxy"]


def test_the_package_of_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/venv/lib/python/site-packages/executor_proxy/__main__.py"])
    assert shlex.split(own_command()) == [sys.executable, "-m", "executor_proxy"]
