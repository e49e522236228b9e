"""A worker's other end, played by the test: everything a hostile process could say."""

from __future__ import annotations

import signal
import socket

import pytest

from proxy.sandbox.frames import pack
from proxy.sandbox.messages import SandboxLimits, StartMessage
from proxy.sandbox.remote import Worker, WorkerGone, by_the_system, explain_exit
from proxy.sandbox.worker import NO_FORK

DONE = b'{"t":"done","ok":true,"calls":[],"logs":[],"emits":[]}'
START = StartMessage("1", "00" * 32, 0.0)


async def transform(code: str, account: str) -> bytes:
    return b'{"t":"source"}'


def opened(limit: int = 1000) -> tuple[Worker, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    worker = Worker(ours, max_message_bytes=limit, transform=transform)
    worker.open(30)
    return worker, theirs


async def receive_to_the_end(worker: Worker) -> None:
    while True:
        await worker.receive()


async def reason_after(data: bytes, *, limit: int = 1000) -> str:
    worker, theirs = opened(limit)
    with theirs:
        await worker.start(START)
        theirs.sendall(data)
        with pytest.raises(WorkerGone) as gone:
            await receive_to_the_end(worker)
        worker.exited()
        worker.close()
    return gone.value.reason


async def test_a_good_answer() -> None:
    worker, theirs = opened()
    with theirs:
        await worker.start(START)
        theirs.sendall(pack(DONE))
        message = await worker.receive()
        assert message.logs == ()
        assert worker.finished
        assert worker.alive
        worker.exited()
        worker.close()
        worker.close()
        assert not worker.alive


@pytest.mark.parametrize(
    "data",
    [
        pack(b"{}"),
        pack(b"not json"),
        (1 << 31).to_bytes(4, "big"),
        pack(DONE) + pack(DONE),
        pack(b'{"t":"transform"}') * 2,
        pack(b'{"t":"blocked","wake":null,"calls":[{"seq":"0"}],"logs":[],"emits":[]}'),
    ],
)
async def test_a_wrong_word_ends_the_worker(data: bytes) -> None:
    assert await reason_after(data) == "protocol"


async def test_calls_are_counted_over_all_frames() -> None:
    """A compromised worker that makes more calls than it was told, in one frame or in many, is ended."""
    start = StartMessage("1", "00" * 32, 0.0, SandboxLimits(calls=3))
    worker, theirs = opened()
    with theirs:
        for turn in range(2):
            calls = ",".join(f'{{"seq":{2 * turn + n},"path":"a","args":{{}}}}' for n in range(2))
            await (worker.deliver([]) if turn else worker.start(start))
            theirs.sendall(
                pack(f'{{"t":"blocked","wake":null,"calls":[{calls}],"logs":[],"emits":[]}}'.encode())
            )
            if turn == 0:
                await worker.receive()
        with pytest.raises(WorkerGone, match="2 calls after 2"):
            await worker.receive()
        worker.exited()
        worker.close()


async def test_speaking_unasked_ends_the_worker() -> None:
    worker, theirs = opened()
    with theirs:
        theirs.sendall(pack(DONE))
        with pytest.raises(WorkerGone, match="without being asked"):
            await worker.receive()
        worker.exited()
        worker.close()


async def test_a_second_transform_is_refused() -> None:
    worker, theirs = opened()
    with theirs:
        await worker.start(START)
        theirs.sendall(pack(b'{"t":"transform"}'))
        theirs.setblocking(True)

        import asyncio

        receiving = asyncio.get_running_loop().run_in_executor(None, read_two, theirs)
        with pytest.raises(WorkerGone, match="second transform"):
            await worker.receive()
        await receiving
        worker.exited()
        worker.close()


def read_two(sock: socket.socket) -> None:
    data = b""
    while b'{"t":"source"}' not in data:
        data += sock.recv(4096)
    sock.sendall(pack(b'{"t":"transform"}'))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (signal.SIGPROF, "cpu"),
        (signal.SIGXCPU, "cpu"),
        (signal.SIGKILL, "memory"),
        (signal.SIGSYS, "crash"),
        (signal.SIGSEGV, "crash"),
        (78 << 8, "memory"),
        (79 << 8, "crash"),
        (80 << 8, "protocol"),
        (0, "crash"),
        (-1, "crash"),
    ],
)
def test_exits_are_explained(status: int, reason: str) -> None:
    assert explain_exit(int(status)).reason == reason


@pytest.mark.parametrize(
    ("status", "system"), [(9, True), (NO_FORK, True), (0, False), (11, False), (-1, False)]
)
def test_what_the_system_ended(status: int, system: bool) -> None:
    assert by_the_system(status) is system


def test_a_fork_that_the_system_refuses_says_so() -> None:
    assert "a limit of processes or memory" in explain_exit(NO_FORK).detail
