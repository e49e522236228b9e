"""Who gets the processors first: the event loop, then code that begins, then code of accounts that are behind, and
last what computes for long. All of it asks the kernel (Linux) and goes on without where that is refused.

No import of ours: the zygote uses it too.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import Final

WORKER_NICE: Final = 8
"""On few processors the event loop would get no more time than each of the workers, and everybody waits for it."""
_BEHIND_NICE: Final = 19
_LOOP_SLICE_NANOSECONDS: Final = 100_000
# sched_setattr(2) has no function in older C libraries.
_SETATTR: Final = {"x86_64": 314, "aarch64": 274}


def favour_this_thread() -> None:
    """It and the threads that it starts are served soon after they wake, not when another one's slice has passed.

    Whoever asks for shorter slices gets no more time, only earlier (EEVDF, Linux 6.12; before, nothing changes).
    """
    _ask_for_slices(_LOOP_SLICE_NANOSECONDS)


def become_worker() -> None:
    """This process goes behind the zygote that it comes from, which goes beside the event loop."""
    _ask_for_slices(0)
    with suppress(OSError):
        os.nice(WORKER_NICE)


def put_behind(pid: int) -> None:
    """After those that have used less, but before what computes for long."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(_BEHIND_NICE, os.getpriority(os.PRIO_PROCESS, pid)))


def put_last(pid: int) -> None:
    """Whatever else wakes on its processor goes first, at once."""
    put_behind(pid)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _ask_for_slices(nanoseconds: int) -> None:
    """For the thread that calls; 0 for what the system gives everybody."""
    number = _SETATTR.get(os.uname().machine) if sys.platform == "linux" else None
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    # struct sched_attr: its size, policy, flags, nice, priority, runtime, deadline, period.
    wanted = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, nice, 0, nanoseconds, 0, 0)
    with suppress(OSError):
        ctypes.CDLL(None).syscall(number, 0, wanted, 0)
