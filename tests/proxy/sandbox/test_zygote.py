"""The zygote over its own socket, without the pool."""

from __future__ import annotations

import asyncio
import os
import socket

from proxy.sandbox.frames import pack
from proxy.sandbox.messages import StartMessage, encode_start
from proxy.sandbox.remote import Worker
from proxy.sandbox.supervisor import Supervisor, zygote_options


async def transform(code: str, account: str) -> bytes:
    return b'{"t":"source"}'


async def test_workers_live_and_end_with_their_socket() -> None:
    options = zygote_options(memory_bytes=128 << 20, cpu_seconds=5.0, max_message_bytes=1 << 20, runs=1)
    ended: asyncio.Queue[Worker] = asyncio.Queue(10)
    supervisor = Supervisor(options | {"require": []}, transform, ended.put_nowait)
    try:
        report = await supervisor.start()
        assert isinstance(report["failed"], list)
        worker = supervisor.spawn()
        worker.open(30)
        await worker.start(StartMessage("return 3", "00" * 32, 0.0))
        message = await worker.receive()
        assert message.logs == ()
        assert await asyncio.wait_for(ended.get(), 60) is worker  # single use: it ends by itself
        worker.close()
        idle = supervisor.spawn()
        idle.close()
        assert await asyncio.wait_for(ended.get(), 60) is idle
    finally:
        supervisor.close()


async def test_the_zygote_has_an_empty_environment_and_ends_with_us() -> None:
    options = zygote_options(memory_bytes=128 << 20, cpu_seconds=5.0, max_message_bytes=1 << 20, runs=1)
    supervisor = Supervisor(options, transform, lambda worker: None)
    await supervisor.start()
    assert read(f"/proc/{supervisor.pid}/environ") == b""
    names = [
        os.readlink(f"/proc/{supervisor.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{supervisor.pid}/fd")
    ]
    assert sum(name.startswith("socket:") for name in names) == 1
    supervisor.close()
    assert supervisor.ended.is_set()


def test_a_frame_for_a_worker_waits_in_its_socket() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(pack(encode_start(StartMessage("1", "", 0.0))))
    assert theirs.recv(4) != b""
    ours.close()
    theirs.close()


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
