"""When a message is sent again, and when nobody tries any more. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, but for `attempts`: the usual ones give up about four minutes after the first attempt.

    `sweep_seconds`: how often the store is searched for pauses that no replica has told of.
    """

    request_seconds: float = 15.0
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    longest_asked_seconds: float = 120.0
    sweep_seconds: float = 60.0
    attempts: int = 10

    def pause(self, attempts: int, asked: float | None, jitter: float) -> float | None:
        """How long to wait after this many failed attempts; None: give up.

        Doubles with each, between half and all of it as `jitter` (0 to 1) has it; a receiver that asks for more time
        (`Retry-After`) gets it, within reason.
        """
        if attempts >= self.attempts:
            return None
        usual = min(self.first_pause_seconds * 2.0 ** (attempts - 1), self.longest_pause_seconds)
        return max(usual * (0.5 + jitter / 2), min(asked or 0.0, self.longest_asked_seconds))


def retry_after(value: str) -> float | None:
    """The seconds of a `Retry-After` header; the form with a date is not worth a clock comparison here."""
    return float(value) if value.isdecimal() and len(value) < 9 else None
