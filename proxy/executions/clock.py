"""The clock that executions are timed by."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock() -> Callable[[], float]:
    """Milliseconds since 1970 that never go back, whatever happens to the system's clock."""
    offset = time.time() * 1000 - time.perf_counter() * 1000
    return lambda: round(offset + time.perf_counter() * 1000, 3)
