"""Commands that were started with closed, full or narrow streams: an exit code and a sentence, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.support import config_text, written

ROOT = Path(__file__).parents[3]
EXECUTOR = f'"{sys.executable}" -m proxy'


def shell(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A line for `sh`, in which `executor` is ours."""
    return subprocess.run(
        ["sh", "-c", line.replace("executor ", f"{EXECUTOR} ", 1)],
        capture_output=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    ["schema", "help codes", "validate --no-env {config}", "--version", "--help", "keys create --help", ""],
)
def test_a_full_disk_is_said(words: str, unbuffered: str, tmp_path: Path) -> None:
    config = written(tmp_path, config_text())
    done = shell(f"executor {words.format(config=config)} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
    assert b"executor: cannot write the output: No space left on device; make room there" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_files_of_ours(closed: str, tmp_path: Path) -> None:
    done = shell(f"executor validate --no-env {written(tmp_path, config_text())} {closed}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"ok: ") is (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize(("words", "code"), [("--json", 1), ("", 1)])
def test_what_the_encoding_lacks_is_escaped(words: str, code: int, tmp_path: Path) -> None:
    config = tmp_path / "executor.yaml"
    config.write_text("version: 1\nintegrätions: {\U0001f600: 1}\n")
    done = shell(f"executor validate {words} {config}", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (code, b"")
    if words:
        assert json.loads(done.stdout)["diagnostics"][0]["message"] == "unknown key `integrätions`"
    else:
        assert b"unknown key `integr\\u00e4tions`" in done.stdout
        assert b"\\ud83d\\ude00" in done.stdout


def test_a_name_that_is_no_text_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "validate", os.fsencode(tmp_path) + b"/\xff.yaml"],
        capture_output=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
    assert b"\\udcff.yaml: no such file or directory" in done.stderr


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'cd "{gone}"; rmdir "{gone}"; PYTHONPATH="{ROOT}" executor serve'
    done = shell(line)
    assert done.returncode == 2
    assert done.stderr == b"executor: the working directory is gone; change to one that exists\n"


def test_few_descriptors(tmp_path: Path) -> None:
    config = written(tmp_path, config_text())
    done = shell(f"ulimit -n 20; executor serve --config {config} --listen 127.0.0.1:0")
    assert done.returncode == 2
    assert (
        done.stderr == b"executor: this process may open 20 files, and needs 64: raise it (ulimit -n 4096)\n"
    )


def test_a_server_that_can_tell_nobody_serves(tmp_path: Path) -> None:
    config = written(tmp_path, config_text())
    words = ["serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    with open("/dev/full", "w") as full:
        server = subprocess.Popen(
            [sys.executable, "-m", "proxy", *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "EXECUTOR_STATE_DIR": str(tmp_path / "state")},
        )  # fmt: skip
    assert server.stderr is not None
    with server.stderr as said:
        assert any('"not_announced"' in line for line in said)
        server.terminate()
        assert "Traceback" not in said.read()
    assert server.wait(60) == 0
