"""Running a command in this process, with a state directory of the test run."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from proxy.cli import main
from proxy.telemetry.logs import ExecutorHandler


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


class Run:
    """`run("tools", "list", ...)`; variables are set with `run.set(NAME=...)`."""

    def __init__(
        self, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.set(**env)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *words: str) -> Ran:
        _forget_logging()
        code = main(words)
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)


def _forget_logging() -> None:
    """A command begins in a process where nobody has set up a log, not with the log of the test before."""
    root = logging.getLogger()
    for known in [one for one in root.handlers if isinstance(one, ExecutorHandler)]:
        root.removeHandler(known)
    logging.getLogger("executor").setLevel(logging.NOTSET)


def at_terminal(words: Sequence[str], answer: str) -> tuple[str, int]:
    """Run a command as a process at a terminal, type `answer`, and give back what the terminal showed."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", *words], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    # Typed ahead: a terminal keeps it until somebody reads.
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side has closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    return shown.decode(), process.wait(60)
