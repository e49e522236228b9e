"""The transform's process, supervised: started when first needed, bounded in time, replaced when it fails.

Nothing of the transform runs in the proxy's own process. Only the compiled form of it is kept here, as a
memory file that is sealed before any agent code is read."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import orjson

from proxy.sandbox.executable_memory import may_execute_memory
from proxy.sandbox.frames import FrameReader, FrameTooLarge, pack

_DIRECTORY = Path(__file__).parent
_REQUEST_SECONDS = 5.0
_START_SECONDS = 20.0
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_SAMPLE = "const one: number = 1"
_NO_MEMORY = (
    "memory may not become executable here, which WebAssembly needs; allow it for this service "
    "(systemd: MemoryDenyWriteExecute=no; else see PR_SET_MDWE, SELinux execmem)"
)


class TypeScript:
    """`transform(code)` gives the payload of the `source` message for a worker. Requests are served in turn."""

    def __init__(self, *, request_seconds: float = _REQUEST_SECONDS) -> None:
        self._request_seconds = request_seconds
        self._artifact = os.memfd_create("transform", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._answered = False
        self._tried = False
        self._trouble: str | None = None

    @property
    def status(self) -> str:
        """`not tried yet`, `ok`, or why the last code was not compiled."""
        return self._trouble or ("ok" if self._tried else "not tried yet")

    async def transform(self, code: str) -> bytes:
        """Never raises for bad code or a broken transform: those are answers too. The worker is told why there is no
        code, so that its caller does not look for the mistake in it."""
        async with self._turn:
            limit = self._request_seconds if self._answered else _START_SECONDS
            self._tried = True
            try:
                async with asyncio.timeout(limit):
                    answer = await self._ask(orjson.dumps({"code": code}))
            except (TimeoutError, OSError, FrameTooLarge) as error:
                self.stop()
                self._trouble = _reason(error, limit)
                return orjson.dumps({"t": "source", "unavailable": self._trouble})
            self._answered, self._trouble = True, None
            return answer

    async def check(self) -> str | None:
        """Compile a line of TypeScript. Why that does not work, or None. A process that was not there is ended."""
        was_idle = self._process is None
        await self.transform(_SAMPLE)
        if was_idle:
            async with self._turn:
                self.stop()
        return self._trouble

    async def prepare(self) -> None:
        """Compile the transform ahead of the first use, in a process that ends when it is done."""
        async with self._turn:
            if os.fstat(self._artifact).st_size or not may_execute_memory():
                return
            process = self._launch(-1)
            try:
                with suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(process.wait, _START_SECONDS)
            finally:
                process.kill()
                process.wait()

    def stop(self) -> None:
        """End the process; the next request starts another."""
        self._answered = False
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the process and forget the compiled transform."""
        self.stop()
        with suppress(OSError):
            os.close(self._artifact)

    async def _ask(self, request: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        sock = self._sock or self._start()
        await loop.sock_sendall(sock, pack(request))
        reader = FrameReader(_MAX_ANSWER_BYTES)
        while True:
            data = await loop.sock_recv(sock, 1 << 18)
            if not data:
                raise ConnectionError("the transform ended")
            for payload in reader.feed(data):
                return payload

    def _start(self) -> socket.socket:
        if not may_execute_memory():
            raise PermissionError(errno.EACCES, _NO_MEMORY)
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


def _reason(error: Exception, limit_seconds: float) -> str:
    if isinstance(error, PermissionError) and error.strerror == _NO_MEMORY:
        return _NO_MEMORY
    if isinstance(error, TimeoutError):
        return f"it took longer than {limit_seconds:g} s"
    if isinstance(error, FrameTooLarge):
        return "the compiled code is too large"
    return "the process that compiles it ended; the server's log says more"
