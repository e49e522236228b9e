"""Memory that was freed goes back to the system.

glibc maps large blocks one by one and unmaps them when they are freed, but raises the size from which it does so to
that of the largest block freed so far (mallopt(3), M_MMAP_THRESHOLD), and the heap that it then uses instead shrinks
only from its end: sixty results of 4 MB leave 500 MB behind. Set once, the threshold stays. Small
blocks leave holes between those that stay: after ten minutes of mixed traffic a third of the heap was free.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 256 * 1024
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def return_freed_memory() -> bool:
    """Whether this C library knows how."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    except (OSError, AttributeError):
        return False


def resident_bytes() -> int:
    """What this process has in memory, shared pages too (proc_pid_statm(5)). 0 where nobody says."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def give_back_holes() -> bool:
    """Return whole free pages inside of the heap too (malloc_trim(3)). Whether there were any."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
