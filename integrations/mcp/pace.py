"""How long to wait before the next attempt to connect. Pure: the caller has the clock and the dice."""

from __future__ import annotations

from dataclasses import dataclass

_STABLE_SECONDS = 30.0


@dataclass(slots=True)
class Pace:
    """Growing pauses between attempts. A connection that held for a while, or carried a call, forgives the past."""

    first_seconds: float
    longest_seconds: float
    failures: int = 0

    def ended(self, lived_seconds: float, *, proved: bool) -> float:
        """The pause after a connection that was open: none the first time, since a restart is the usual reason."""
        if proved or lived_seconds >= _STABLE_SECONDS:
            self.failures = 0
        self.failures += 1
        return 0.0 if self.failures == 1 else self._pause(self.failures - 1)

    def failed(self) -> float:
        """The pause after an attempt that did not connect."""
        self.failures += 1
        return self._pause(self.failures)

    def _pause(self, count: int) -> float:
        return min(self.first_seconds * 2.0 ** min(count - 1, 20), self.longest_seconds)
