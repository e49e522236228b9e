"""How many workers were at work at once lately: as many are worth keeping, within a budget of memory."""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 10.0
# A worker that has run keeps 2 MB of its own, and after twenty runs 8; what it shares with the zygote costs nothing.
_BUDGET_BYTES: Final = 128 * 1024 * 1024
_WORKER_BYTES: Final = 8 * 1024 * 1024
MOST_KEPT: Final = _BUDGET_BYTES // _WORKER_BYTES


class Demand:
    """The most that were busy at once in this window and the one before."""

    __slots__ = ("_before", "_ends", "_now")

    def __init__(self) -> None:
        self._before = self._now = 0
        self._ends = 0.0

    def note(self, busy: int, now: float) -> None:
        """So many are busy at this time (in seconds of any clock)."""
        self._turn(now)
        self._now = max(self._now, busy)

    def lately(self, now: float) -> int:
        """The most at once in the last 10 to 20 seconds."""
        self._turn(now)
        return max(self._before, self._now)

    def kept(self, least: int, now: float) -> int:
        """How many idle workers to keep: `least` in any case."""
        return max(least, min(self.lately(now), MOST_KEPT))

    def _turn(self, now: float) -> None:
        if now < self._ends:
            return
        self._before = self._now if now < self._ends + WINDOW_SECONDS else 0
        self._now, self._ends = 0, now + WINDOW_SECONDS
