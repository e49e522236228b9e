"""What the fork server starts is a process like any other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from signal import SIGKILL

import pytest

from tests import processes
from tests.proxy.support import config_text


def test_words_output_and_exit_code() -> None:
    ran = processes.run("--version")
    assert (ran.returncode, ran.stdout.startswith("executor "), ran.stderr) == (0, True, "")
    ran = processes.run("no-such-command")
    assert (ran.returncode, ran.stdout, "no-such-command" in ran.stderr) == (2, "", True)


def test_environment_folder_and_standard_input(tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text(config_text())
    ran = processes.run("validate", folder=tmp_path)
    assert (ran.returncode, ran.stdout.startswith("ok: 1 file")) == (0, True)
    ran = processes.run("keys", "verify", stdin="no key of ours\n", folder=tmp_path)
    assert (ran.returncode, "no key of ours" in ran.stderr) == (1, False), ran
    env = {**os.environ, "COLUMNS": "40"}
    assert max(map(len, processes.run("--help", env=env).stdout.splitlines())) <= 40


def test_a_session_of_its_own_and_a_signal() -> None:
    process = processes.start("demo", "--port", "0", new_session=True)
    assert os.getsid(process.pid) == process.pid
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    process.kill()
    assert process.wait(processes.LIMIT_SECONDS) == process.poll() == -SIGKILL
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("name", ["PYTHONUTF8", "LC_ALL", "LANG"])
def test_what_the_interpreter_reads_as_it_starts_is_not_for_a_fork(name: str) -> None:
    env = {**os.environ, name: "other"}
    assert not processes.can_fork(env)
    with pytest.raises(AssertionError, match="use subprocess"):
        processes.start("--version", env=env)
