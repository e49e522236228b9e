"""Process 1, played by one that adopts orphans as it does (PR_SET_CHILD_SUBREAPER): that needs no privilege."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

ADOPTING = """
import ctypes, os, signal, subprocess, sys, time
from proxy.commands.first_process import run_below
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
first = os.getpid()

def children():
    return open(f"/proc/{first}/task/{first}/children").read().split()
"""
ORPHAN = """
def work():
    pid = int(subprocess.check_output(["sh", "-c", "sleep 0.05 >/dev/null & echo $!"]))
    while os.path.exists(f"/proc/{pid}"):
        os.sched_yield()
    assert children() == [str(os.getpid())]
    assert subprocess.run(["false"]).returncode == 1
    return 7
"""
ENDED = """
def work():
    os.kill(os.getpid(), signal.SIGKILL)
"""
TOLD = """
def work():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    print("ready", flush=True)
    signal.pause()
"""
RUN = "\nsys.exit(run_below(work))"


@pytest.mark.parametrize(("work", "code"), [(ORPHAN, 7), (ENDED, 128 + signal.SIGKILL)])
def test_orphans_are_reaped_and_the_exit_code_is_that_of_the_server(work: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADOPTING + work + RUN], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr


def test_signals_are_passed_on() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ADOPTING + TOLD + RUN], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 9
    process.stdout.close()
