"""The compiled form of the transform: a memory file, compiled into by one process and read by all that start from it.

It is complete when it is sealed. Who was stopped while it compiled leaves a part behind, which the next one replaces.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import cache

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


@cache
def memory_file() -> int:
    """The descriptor of this process's own: what all its sandboxes compile with is the same."""
    return os.memfd_create("transform", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def is_complete(file: int) -> bool:
    return bool(fcntl.fcntl(file, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)


def complete(file: int, compiled: Callable[[], bytes]) -> None:
    """Write what `compiled` gives, unless another process has. From then on nobody, this process's successors included,
    can change the code that they will run. Waits for a process that is about it; raises `OSError`."""
    fcntl.lockf(file, fcntl.LOCK_EX)
    try:
        if is_complete(file):
            return
        os.ftruncate(file, 0)
        data, written = memoryview(compiled()), 0
        while written < len(data):
            written += os.pwrite(file, data[written:], written)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)
