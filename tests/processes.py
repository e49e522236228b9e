"""`executor WORDS` as a process: started by the fork server of this test run, or from the beginning where the start
itself is what a test looks at.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from signal import SIGKILL, Signals
from typing import IO, Any

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 120.0


class Executor:
    """A process of the program; what tests use of `subprocess.Popen`, which cannot wait for another one's child."""

    def __init__(self, pid: int, ended: int, stdout: IO[str], stderr: IO[str]) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """The exit code, negative for a signal; none while it runs."""
        if self.returncode is None and _is_readable(self._ended, 0):
            self.returncode = int(os.read(self._ended, 64) or _lost(self.pid))
            os.close(self._ended)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None and not _is_readable(self._ended, timeout):
            raise subprocess.TimeoutExpired(f"executor ({self.pid})", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(SIGKILL)


def _is_readable(descriptor: int, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _lost(pid: int) -> bytes:
    raise AssertionError(f"the fork server is gone; nobody knows how process {pid} ended")


class ForkServer:
    """One for each process of the test run, ended with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        with theirs:
            # No terminal and no file of the test's capture: a program's output is buffered as it is into a pipe.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd=ROOT,
            )  # fmt: skip
        atexit.register(self.end)

    def end(self) -> None:
        self._control.close()
        self._process.wait(LIMIT_SECONDS)

    def start(self, request: Mapping[str, Any], descriptors: list[int]) -> int:
        """The process id. The fourth descriptor is told the exit code."""
        passed = array.array("i", descriptors)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)]
        with self._lock:
            self._control.sendmsg([json.dumps(request).encode()], rights)
            answer = self._control.recv(64)
        assert answer, "the fork server ended; what it said stands in the output of this run"
        return int(answer)


@cache
def _fork_server() -> ForkServer:
    return ForkServer()


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter would start with it as the fork server did."""
    return _read_at_start(environment) == _read_at_start(os.environ)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


def start(
    *words: str,
    env: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    new_session: bool = False,
    stdin: str = "",
) -> Executor:
    """Both outputs are pipes. `env` is all of its environment (else: that of the test)."""
    environment = dict(os.environ if env is None else env)
    assert can_fork(environment), "the interpreter reads some of it as it starts: use subprocess"
    request = {
        "words": words,
        "environment": environment,
        "folder": str(folder),
        "new_session": new_session,
    }
    pipes = [os.pipe() for _ in range(3)]
    with tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        try:
            pid = _fork_server().start(request, [given.fileno(), *(write for _, write in pipes)])
        finally:
            for _, write in pipes:
                os.close(write)
    out, err, ended = (read for read, _ in pipes)
    return Executor(pid, ended, os.fdopen(out), os.fdopen(err))


def run(
    *words: str,
    env: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    stdin: str = "",
    timeout: float = LIMIT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """A command to its end, with what it said. Raises `subprocess.TimeoutExpired`."""
    process = start(*words, env=env, folder=folder, stdin=stdin)
    out, err = _Reader(process.stdout), _Reader(process.stderr)
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(words, code, out.text, err.text)


class _Reader:
    """Reads a stream to its end in a thread, so that no pipe is ever full."""

    def __init__(self, stream: IO[str]) -> None:
        self._text = ""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self._text = stream.read()

    @property
    def text(self) -> str:
        self._thread.join()
        return self._text
