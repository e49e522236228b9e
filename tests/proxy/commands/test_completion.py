"""Completion scripts: each shell takes its own, and bash completes with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.cli import COMMANDS
from proxy.commands.completion import SHELLS
from tests.proxy.commands.running import Run


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script(run: Run, shell: str, tmp_path: Path) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert not [one.name for one in COMMANDS if one.name not in ran.out]
    assert "--config" in ran.out.replace("-l config", "--config")
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(ran.out)
        assert subprocess.run([shell, "-n", script], check=False).returncode == 0


def test_fish_shows_the_line_of_the_overview(run: Run) -> None:
    script = run("completion", "fish").out
    assert "-a serve -d 'serve the MCP endpoint over HTTP'\n" in script
    assert "-a describe -d 'one tool: description, TypeScript types, policy'\n" in script


@pytest.mark.parametrize(
    ("typed", "completed"), [("ser", "serve"), ("tools se", "search"), ("explain --exp", "--expect")]
)
def test_bash_completes(run: Run, tmp_path: Path, typed: str, completed: str) -> None:
    words = ["executor", *typed.split()]
    script = tmp_path / "script"
    script.write_text(
        run("completion", "bash").out
        + f"\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='executor {typed}'\n"
        "$(complete -p executor | sed 's/.*-F \\([^ ]*\\).*/\\1/') executor\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert completed in done.stdout.split(), done.stderr
