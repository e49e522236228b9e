"""Foreground: few workers compute at once, so that each is done soon; what computes for long leaves it.

Rules:
- A worker enters before it is told something, and leaves when it has answered, when it has computed for long, or with
  its lease. It holds one seat, whatever happens to it.
- Who waits for a seat is told, because its code's time stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from proxy.sandbox.seats import Seats


def most_at_once() -> int:
    """Two for each processor that this process may use, and never fewer than four."""
    return max(4, 2 * len(os.sched_getaffinity(0)))


class Foreground:
    """One lease's place among those that compute. Without `seats` there is always room."""

    __slots__ = ("_account", "_seats", "_taken")

    def __init__(self, seats: Seats | None = None, account: str = "") -> None:
        self._seats = seats
        self._account = account
        self._taken = False

    async def enter(self, on_wait: Callable[[bool], None]) -> None:
        """Return when there is room."""
        if self._seats is None or self._taken:
            return
        seat = self._seats.take(self._account)
        if not seat.done():
            on_wait(True)
            try:
                await asyncio.shield(seat)
            except asyncio.CancelledError:
                self._seats.withdraw(self._account, seat)
                raise
            finally:
                on_wait(False)
        self._taken = True

    def leave(self) -> None:
        """Make room; safe to repeat."""
        if self._seats is not None and self._taken:
            self._taken = False
            self._seats.leave(self._account)
