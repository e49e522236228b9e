"""One process of the transform: started when it is first asked, ended when it fails.

Nothing of the transform runs in the proxy's own process. Only the compiled form of it is kept here, as a
memory file that is sealed before any agent code is read."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from proxy.sandbox.executable_memory import may_execute_memory
from proxy.sandbox.frames import FrameReader, pack

_DIRECTORY = Path(__file__).parent
NO_MEMORY = (
    "memory may not become executable here, which WebAssembly needs; allow it for this service "
    "(systemd: MemoryDenyWriteExecute=no; else see PR_SET_MDWE, SELinux execmem)"
)


class TransformProcess:
    """Answers one request at a time. `busy` and `long` (it compiles long code) belong to who hands out turns.

    `artifact` is the descriptor of the memory file with the compiled transform.
    """

    def __init__(self, artifact: int) -> None:
        self._artifact = artifact
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self.answered = False
        self.busy = self.long = False

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def ask(self, request: bytes, most_bytes: int) -> bytes:
        """Raises `OSError`, `FrameTooLarge`. Whoever gives up waiting has to `stop` it."""
        loop = asyncio.get_running_loop()
        sock = self._sock or self._start()
        await loop.sock_sendall(sock, pack(request))
        reader = FrameReader(most_bytes)
        while True:
            data = await loop.sock_recv(sock, 1 << 18)
            if not data:
                raise ConnectionError("the transform ended")
            for payload in reader.feed(data):
                self.answered = True
                return payload

    async def compile(self, seconds: float) -> None:
        """Compile the transform into the memory file, in a process that ends when it is done."""
        process = self._launch(-1)
        try:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, seconds)
        finally:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End the process; the next request starts another."""
        self.answered = False
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> socket.socket:
        if not may_execute_memory():
            raise PermissionError(errno.EACCES, NO_MEMORY)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = self._launch(theirs.fileno())
        finally:
            theirs.close()
        self._sock = ours
        return ours

    def _launch(self, fd: int) -> subprocess.Popen[bytes]:
        places = [place for place in sys.path if place.endswith("-packages")]
        command = [
            sys.executable, "-I", "-S", str(_DIRECTORY / "bootstrap.py"), str(_DIRECTORY), "transform",
            str(fd), str(self._artifact), *places,
        ]  # fmt: skip
        fds = (self._artifact,) if fd < 0 else (self._artifact, fd)
        return subprocess.Popen(  # noqa: S603 - our own interpreter and file, no shell
            command, env={}, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
