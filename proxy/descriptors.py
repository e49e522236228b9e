"""The descriptors of this process: as many as the system allows, some of them kept back.

Connections of clients and of upstreams end or are refused before the last `kept_back()` are used, so that files (a
reload, the state store, secrets), workers and health checks still work.
"""

from __future__ import annotations

import os
import resource
import threading
from typing import Final

_KEPT_BACK: Final = 64
_FOR_OTHERS: Final = 256
# What a process may have without limit is no number to count with.
_UNLIMITED: Final = 1_048_576


def raise_limit() -> int:
    """Raise the soft limit to the hard one; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return limit()


def limit() -> int:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def kept_back() -> int:
    return min(_KEPT_BACK, limit() // 8)


def for_clients() -> int:
    """How many connections clients may hold: a quarter, at most 256, stays for everything else."""
    most = limit()
    return most - min(_FOR_OTHERS, most // 4)


def scarce(descriptor: int) -> bool:
    """Whether this descriptor, just opened, is one of the last. The system gives out the lowest that is free."""
    return descriptor >= limit() - kept_back()


def used() -> int | None:
    """How many are open, None where the system does not tell."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) - 1
        except OSError:
            continue
    return None


def are_scarce() -> bool:
    """Whether the last ones are being used now."""
    try:
        probe = os.dup(0)
    except OSError:
        return True
    os.close(probe)
    return scarce(probe)


def can_start_threads(number: int) -> bool:
    """Whether as many may run at once. A library that is refused one ends the process without a word."""
    enough = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(number):
            one = threading.Thread(target=enough.wait, daemon=True)
            one.start()
            started.append(one)
    except RuntimeError:
        return False
    finally:
        enough.set()
        for one in started:
            one.join()
    return True
