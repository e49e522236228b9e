"""What processes are told about the processors, on real ones."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.sandbox.scheduling import WORKER_NICE, put_behind, put_last


@pytest.fixture
def process() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started.pid
        started.kill()


def nice(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def test_who_is_behind_goes_after_those_who_begin_and_before_those_who_are_last(process: int) -> None:
    put_behind(process)
    put_behind(process)
    assert (nice(process), os.sched_getscheduler(process)) == (19, os.SCHED_OTHER)
    put_last(process)
    assert (nice(process), os.sched_getscheduler(process)) == (19, os.SCHED_IDLE)


def test_a_process_that_is_gone_is_no_matter() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    put_behind(gone.pid)
    put_last(gone.pid)


def test_the_loop_asks_for_short_slices_and_workers_do_not() -> None:
    """In a process of its own: what a thread asks for stays, and what it starts begins with it. So did this process,
    where a server ran in it before."""
    code = (
        "from proxy.sandbox import scheduling as s\n"
        "import os\n"
        "def slice_(): return next((l.split()[-1] for l in open('/proc/self/sched') if 'se.slice' in l), '')\n"
        "s._ask_for_slices(0); usual = slice_(); s.favour_this_thread(); short = slice_(); before = os.nice(0)\n"
        "s.become_worker()\n"
        "print(usual, short, slice_(), os.nice(0) - before)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    usual, short, after, lower = told.stdout.split()
    release = tuple(map(int, platform.release().split(".")[:2]))
    assert short == ("100000" if release >= (6, 12) else usual)
    assert after == usual
    # The lowest there is ends it.
    assert int(lower) == min(WORKER_NICE, 19 - os.getpriority(os.PRIO_PROCESS, 0))
