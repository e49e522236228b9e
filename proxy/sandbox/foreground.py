"""Foreground: few workers compute at once, so that each is done soon; what computes for long leaves it.

Rules:
- A worker enters before it is told something, and leaves when it has answered, when it has computed for long, or with
  its lease. It is counted once, whatever happens to it.
- An account that has nobody inside enters at once: it never waits for another one. Its second worker waits when there
  is no room.
- Of those who wait, next is the account that has used least CPU time lately (what is older counts less).
- Who waits is told, because its code's time stands still meanwhile.
- An account that has used more than the others inside on average, while there is no room, is behind: its workers get a
  lower priority, so that it is the others whose code is served first.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

_HALF_LIFE_SECONDS: Final = 10.0
_MOST_ACCOUNTS: Final = 1000

_Place = asyncio.Future[None]


def most_at_once() -> int:
    """Two for each processor that this process may use, and never fewer than four."""
    return max(4, 2 * len(os.sched_getaffinity(0)))


class Foreground:
    """Who computes now, and who is next. Used from one event loop."""

    def __init__(self, room: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._used = RecentUse(clock)
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._inside: Counter[str] = Counter()
        self.busy = 0

    def place(self, account: str) -> ForegroundPlace:
        """A place for one lease of the account, not entered yet."""
        return ForegroundPlace(self, account)

    async def enter(self, account: str, on_wait: Callable[[bool], None]) -> None:
        """Return when there is room."""
        if not self._inside[account] or (self.busy < self._room and not self._lines):
            self._let_in(account)
        else:
            await self._wait(account, on_wait)

    def leave(self, account: str) -> None:
        """Make room; whoever is next gets it."""
        self.busy -= 1
        self._inside[account] -= 1
        if not self._inside[account]:
            del self._inside[account]
        while self._lines and self.busy < self._room:
            following = min(self._lines, key=self._used.of)
            waiting = self._lines[following].popleft()
            if not self._lines[following]:
                del self._lines[following]
            if not waiting.done():
                self._let_in(following)
                waiting.set_result(None)

    def charge(self, account: str, cpu_seconds: float) -> None:
        """What a worker of the account has used since it was last asked."""
        self._used.add(account, cpu_seconds)

    def is_behind(self, account: str) -> bool:
        """Whether others go before it."""
        if self.busy < self._room or len(self._inside) < 2:
            return False
        everybody = self._inside.keys() | {account}
        return self._used.of(account) * len(everybody) > sum(map(self._used.of, everybody))

    def _let_in(self, account: str) -> None:
        self.busy += 1
        self._inside[account] += 1

    async def _wait(self, account: str, on_wait: Callable[[bool], None]) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(account, deque()).append(waiting)
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


class RecentUse:
    """Seconds of CPU by account; what is older counts less, half after ten seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: dict[str, tuple[float, float]] = {}  # when it was last added to, and how much it was then

    def add(self, account: str, seconds: float) -> None:
        self._used[account] = (self._clock(), self.of(account) + seconds)
        if len(self._used) > _MOST_ACCOUNTS:
            del self._used[min(self._used, key=self.of)]

    def of(self, account: str) -> float:
        at, seconds = self._used.get(account, (0.0, 0.0))
        return seconds * 0.5 ** ((self._clock() - at) / _HALF_LIFE_SECONDS) if seconds else 0.0
