"""`executor mcp`: what it refuses before it serves. How it serves is in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.commands.running import Run
from tests.proxy.support import config_text, written


def test_a_scope_without_a_config_says_so(run: Run, tmp_path: Path) -> None:
    ran = run("mcp", "--scope", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"executor: no executor.yaml in {tmp_path}; name one with --config PATH\n"


def test_an_invalid_config_in_the_scope_is_78_on_stderr(run: Run, tmp_path: Path) -> None:
    written(tmp_path, "version: 2\n")
    ran = run("mcp", "--scope", str(tmp_path))
    assert (ran.code, ran.out) == (78, "")
    assert "executor.yaml:1:" in ran.err


def test_a_workspace_that_does_not_exist_is_2(run: Run, tmp_path: Path) -> None:
    written(tmp_path, config_text())
    ran = run("mcp", "--scope", str(tmp_path), "--workspace", "other")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == "executor: --workspace other: no such workspace; there are: default"


def test_unknown_elicitation_modes_are_refused(run: Run) -> None:
    with pytest.raises(SystemExit) as ended:
        run("mcp", "--elicitation-mode", "telepathy")
    assert ended.value.code == 2


def test_a_mode_that_the_config_does_not_grant_is_2(run: Run, tmp_path: Path) -> None:
    written(tmp_path, config_text() + "elicitation: {client_may_choose: false}\n")
    ran = run("mcp", "--scope", str(tmp_path), "--elicitation-mode", "browser")
    assert (ran.code, ran.out) == (2, "")
    assert "elicitation mode `browser` was asked for" in ran.err.splitlines()[-1]
