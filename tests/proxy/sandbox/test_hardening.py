"""Each step is taken in a process of its own, which then tries what it may not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import proxy.sandbox.bootstrap
from proxy.sandbox import PoolOptions
from proxy.sandbox.hardening import MECHANISMS
from proxy.sandbox.pool import Pool

DIRECTORY = Path(proxy.sandbox.bootstrap.__file__).parent
SCRIPT = """
import os, sys, mmap, ctypes, time, _socket, resource
sys.path.insert(0, {directory!r})
import bootstrap
bootstrap.enter_packages({directory!r})
from proxy.sandbox.hardening import Hardener
hardener = Hardener(64 << 20, 2.0, parent=os.getppid())
reading, writing = os.pipe()
libc = ctypes.CDLL(None)
failed = hardener.harden(writing)
if failed: os._exit(90)
{attempt}
os._exit(7)
"""


def ending(attempt: str) -> int:
    script = SCRIPT.format(directory=str(DIRECTORY), attempt=attempt)
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], env={}, check=False, timeout=150
    ).returncode


def test_what_is_allowed_works() -> None:
    assert ending("bytearray(1 << 20); time.monotonic(); os.close(0)") == 7


@pytest.mark.parametrize(
    "attempt",
    [
        "os.open('/etc/passwd', os.O_RDONLY)",
        "_socket.socket()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "libc.ptrace(16, os.getppid(), 0, 0)",
        "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "resource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
        "os.listdir('/')",
        "os.unlink('/tmp/none')",
        "libc.prctl(22, 0, 0, 0, 0)",
    ],
)
def test_t18_forbidden_calls_kill(attempt: str) -> None:
    assert ending(attempt) == -signal.SIGSYS


def test_memory_is_bounded() -> None:
    assert ending("try:\n    bytearray(256 << 20)\nexcept MemoryError:\n    os._exit(8)") == 8


def test_cpu_time_is_bounded() -> None:
    assert ending("while True: pass") in (-signal.SIGXCPU, -signal.SIGKILL)


async def test_a_worker_process_seen_from_outside() -> None:
    async with Pool(PoolOptions()) as pool, pool.worker("ws", 30) as worker:
        from proxy.sandbox import StartMessage

        await worker.start(StartMessage("await tools.x()", "00" * 32, 0.0))
        await worker.receive()
        status = read(f"/proc/{worker.pid}/status").decode()
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status
        assert "Threads:\t1\n" in status
        assert "CapEff:\t0000000000000000\n" in status
        if os.geteuid() == 0:
            assert "Uid:\t65534\t65534\t65534\t65534\n" in status
            assert "Groups:\t \n" in status
            assert len(os.listdir(f"/proc/{worker.pid}/fd")) == 1
            assert read(f"/proc/{worker.pid}/environ") == b""
            assert os.readlink(f"/proc/{worker.pid}/ns/net") != os.readlink("/proc/self/ns/net") or (
                "network" in pool.hardening.missing
            )


def test_the_steps_are_named() -> None:
    assert MECHANISMS[0] == "no_new_privs"
    assert MECHANISMS[-1] == "seccomp"


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
