"""Foreground: few workers compute at once, so that each is done soon; what computes for long leaves it.

Rules:
- A worker enters before it is told something, and leaves when it has answered, when it has computed for long, or with
  its lease. It is counted once, whatever happens to it.
- An account that has nobody inside enters at once: it never waits for another one. Its second worker waits when there
  is no room.
- Of those who wait, next is the account that has cost least CPU time.
- Who waits is told, because its code's time stands still meanwhile.
- An account that has cost more than others, while there is no room for all, is behind: its workers get a lower
  priority, so that it is the others whose code is served first.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable

from proxy.fair import FairQueue

_Place = asyncio.Future[None]


def most_at_once() -> int:
    """Two for each processor that this process may use, and never fewer than four."""
    return max(4, 2 * len(os.sched_getaffinity(0)))


class Foreground:
    """Who computes now, and who is next. Used from one event loop."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._inside: Counter[str] = Counter()
        self.busy = 0

    def place(self, account: str) -> ForegroundPlace:
        """A place for one lease of the account, not entered yet."""
        return ForegroundPlace(self, account)

    async def enter(self, account: str, on_wait: Callable[[bool], None]) -> None:
        """Return when there is room."""
        if not self._inside[account] or (self.busy < self._room and not len(self._queue)):
            self._let_in(account)
        else:
            await self._wait(account, on_wait)

    def leave(self, account: str) -> None:
        """Make room; whoever is next gets it."""
        self.busy -= 1
        self._inside[account] -= 1
        if not self._inside[account]:
            del self._inside[account]
        while self.busy < self._room and (following := self._queue.pop()) is not None:
            name, waiting = following
            if not waiting.done():
                self._let_in(name)
                waiting.set_result(None)

    def charge(self, account: str, cpu_seconds: float) -> None:
        """What a worker of the account has cost since it was last asked."""
        self._queue.charge(account, cpu_seconds)

    def is_behind(self, account: str) -> bool:
        """Whether others go before it."""
        return self.busy >= self._room and self._queue.owes(account)

    def _let_in(self, account: str) -> None:
        self.busy += 1
        self._inside[account] += 1

    async def _wait(self, account: str, on_wait: Callable[[bool], None]) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(account, waiting)
        on_wait(True)
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if waiting.done():
                self.leave(account)  # given to us just as we stopped waiting
            waiting.cancel()
            raise
        finally:
            on_wait(False)


class ForegroundPlace:
    """One lease's place in a foreground; without one there is always room."""

    __slots__ = ("_account", "_foreground", "_inside")

    def __init__(self, foreground: Foreground | None = None, account: str = "") -> None:
        self._foreground = foreground
        self._account = account
        self._inside = False

    @property
    def behind(self) -> bool:
        """Whether others go before this account."""
        return self._foreground is not None and self._foreground.is_behind(self._account)

    async def enter(self, on_wait: Callable[[bool], None]) -> None:
        """Return when there is room; nothing when it is inside already."""
        if self._foreground is not None and not self._inside:
            await self._foreground.enter(self._account, on_wait)
            self._inside = True

    def leave(self) -> None:
        """Make room; safe to repeat."""
        if self._foreground is not None and self._inside:
            self._inside = False
            self._foreground.leave(self._account)

    def charge(self, cpu_seconds: float) -> None:
        if self._foreground is not None:
            self._foreground.charge(self._account, cpu_seconds)
