"""Memory that was freed goes back to the system.

glibc maps large blocks one by one and unmaps them when they are freed, but raises the size from which it does so to
that of the largest block freed so far (mallopt(3), M_MMAP_THRESHOLD), and the heap that it then uses instead shrinks
only from its end: sixty results of 4 MB leave 500 MB behind. Set once, the threshold stays.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 256 * 1024


def return_freed_memory() -> bool:
    """Whether this C library knows how."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    except (OSError, AttributeError):
        return False
