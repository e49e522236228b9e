"""The pool's end of the zygote: start it, ask it for workers, hear of their ends."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from integrations.json_text import read_json, write_json
from proxy.sandbox.engine import extension_path
from proxy.sandbox.options import PoolUnavailable
from proxy.sandbox.remote import Transform, Worker

_START_SECONDS = 20.0
_PACKET_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 15
_DIRECTORY = Path(__file__).parent


class ZygoteFailed(PoolUnavailable):
    """The zygote did not start; the message says why."""


class Supervisor:
    """One zygote process. Made anew when the old one ended."""

    def __init__(
        self, options: dict[str, Any], transform: Transform, on_worker_end: Callable[[Worker], None]
    ) -> None:
        self._options = options
        self._transform = transform
        self._on_worker_end = on_worker_end
        self._loop = asyncio.get_running_loop()
        self._workers: dict[int, Worker] = {}
        self._last_token = 0
        self._control, self._theirs = _socket_pair(socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self.ended = asyncio.Event()

    async def start(self) -> dict[str, Any]:
        """Start the process; return its report on hardening. Raises ZygoteFailed."""
        self._control.setblocking(True)
        self._launch()
        for packet in _option_packets(self._options):
            self._control.send(packet)
        self._control.setblocking(False)
        self._loop.add_reader(self._control.fileno(), self._on_packet)
        try:
            return await asyncio.wait_for(self._ready, _START_SECONDS)
        except (TimeoutError, ConnectionError) as error:
            self.close()
            raise ZygoteFailed(f"the sandbox's zygote did not start: {error!r}") from error

    def spawn(self) -> Worker:
        """Ask for a worker. It may be used at once: what is sent waits in its socket until the fork is done."""
        ours, theirs = _socket_pair(socket.SOCK_STREAM)
        worker = Worker(ours, max_message_bytes=self._options["max_message_bytes"], transform=self._transform)
        self._last_token = token = (self._last_token + 1) % (1 << 32)
        self._workers[token] = worker
        try:
            socket.send_fds(self._control, [b"F" + token.to_bytes(4, "big")], [theirs.fileno()])
        except OSError:
            del self._workers[token]
            worker.exited()
        finally:
            theirs.close()
        return worker

    def close(self) -> None:
        """End the zygote and with it all its workers."""
        self._end()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        assert self._process is not None
        return self._process.pid

    def _launch(self) -> None:
        fd = self._theirs.fileno()
        place = str(_DIRECTORY)
        command = [sys.executable, "-I", "-S", f"{place}/bootstrap.py", place, "zygote", str(fd)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file, no shell
            command, env={}, pass_fds=(fd,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        self._theirs.close()

    def _on_packet(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _PACKET_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if data:
            self._handle(data[:1], data[1:], descriptors)
        else:
            self._end()

    def _handle(self, kind: bytes, body: bytes, descriptors: list[int]) -> None:
        if kind == b"R":
            self._ready.set_result(read_json(body))
            return
        token, number = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        worker = self._workers.get(token)
        if worker is None:
            for descriptor in descriptors:
                os.close(descriptor)
        elif kind == b"S":
            worker.spawned(number, descriptors[0] if descriptors else None)
        elif kind == b"X":
            del self._workers[token]
            worker.exited(number)
            self._on_worker_end(worker)

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._theirs.close()
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("it ended"))
            with suppress(ConnectionError):
                self._ready.exception()
        for worker in self._workers.values():
            worker.exited()
            self._on_worker_end(worker)
        self._workers.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def zygote_options(
    *, memory_bytes: int, cpu_seconds: float, max_message_bytes: int, runs: int
) -> dict[str, Any]:
    """What the zygote is told: the engine, the prelude and the limits. Nothing else reaches it."""
    return {
        "extension": extension_path(_dukpy_directory()),
        "prelude": prelude(),
        "memory_bytes": memory_bytes,
        "cpu_seconds": cpu_seconds,
        "max_message_bytes": max_message_bytes,
        "runs": runs,
    }


def prelude() -> str:
    """The JavaScript that every context begins with."""
    folder = resources.files("proxy.sandbox") / "prelude"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".js"))
    return "\n".join((folder / name).read_text("utf-8") for name in names)


def _dukpy_directory() -> str:
    spec = find_spec("dukpy")  # finds the package without running it
    if spec is None or not spec.submodule_search_locations:
        raise ZygoteFailed("the package dukpy is not installed")
    return spec.submodule_search_locations[0]


def _socket_pair(kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.setblocking(False)
    return ours, theirs


def _option_packets(options: dict[str, Any]) -> list[bytes]:
    text = write_json(options)
    chunks = [text[at : at + _CHUNK_BYTES] for at in range(0, len(text), _CHUNK_BYTES)]
    return [len(text).to_bytes(4, "big"), *chunks]
