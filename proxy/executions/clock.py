"""The clock that executions are timed by."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock() -> Callable[[], float]:
    """Milliseconds since 1970 that never go back, whatever happens to the system's clock."""
    offset = time.time() * 1000 - time.perf_counter() * 1000
    return lambda: round(offset + time.perf_counter() * 1000, 3)


def not_before(clock: Callable[[], float], least: float) -> Callable[[], float]:
    """The clock, put forward if it is behind `least` now.

    A journal may come from a machine whose clock is ahead of ours. Code that waits from then on would wait longer by
    that much.
    """
    behind = least - clock()
    return clock if behind <= 0 else lambda: round(clock() + behind, 3)
