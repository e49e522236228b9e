"""Foreground: few workers compute at once, so that each is done soon; what computes for long leaves it.

Rules:
- A worker enters before it is told something, and leaves when it has answered, when it has computed for long, or with
  its lease. It is counted once, whatever happens to it.
- An account that has nobody inside enters at once: it never waits for another one, unless it is behind. Its second
  worker waits when there is no room.
- Of those who wait, next is the account that has used least CPU time lately (what is older counts less).
- Who waits is told, because its code's time stands still meanwhile.
- An account with several leases that has used much lately, and more than half of what any other has that is here, is
  behind: there is room for half as many of its workers, and they get a lower priority, so that the others' code is
  served first.
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
_MUCH_SECONDS: Final = 0.2  # of CPU time lately: one that always computes has fourteen

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
        self._leases: Counter[str] = Counter()
        self.busy = 0

    def place(self, account: str) -> ForegroundPlace:
        """A place for one lease of the account, not entered yet; to be given up at the end of the lease."""
        self._leases[account] += 1
        return ForegroundPlace(self, account)

    async def enter(self, account: str, on_wait: Callable[[bool], None]) -> None:
        """Return when there is room."""
        behind = self.is_behind(account)
        is_first = not self._inside[account] and not behind
        if is_first or (self._has_room(behind) and not self._lines):
            self._let_in(account)
        else:
            await self._wait(account, on_wait)

    def leave(self, account: str) -> None:
        """Make room; whoever is next gets it."""
        self.busy -= 1
        self._inside[account] -= 1
        if not self._inside[account]:
            del self._inside[account]
        while self._lines:
            following = min(self._lines, key=self._used.of)
            if not self._has_room(self.is_behind(following)):
                return
            waiting = self._lines[following].popleft()
            if not self._lines[following]:
                del self._lines[following]
            if not waiting.done():
                self._let_in(following)
                waiting.set_result(None)

    def give_up(self, account: str) -> None:
        """A lease has ended."""
        self._leases[account] -= 1
        if not self._leases[account]:
            del self._leases[account]

    def charge(self, account: str, cpu_seconds: float) -> None:
        """What a worker of the account has used since it was last asked."""
        self._used.add(account, cpu_seconds)

    def used(self, account: str) -> float:
        """Seconds of CPU lately; what is older counts less."""
        return self._used.of(account)

    def is_behind(self, account: str) -> bool:
        """Whether others go before it."""
        used, others = self._used.of(account), self._leases.keys() - {account}
        if not others or self._leases[account] < 2 or used < _MUCH_SECONDS:
            return False
        return 2 * used > max(map(self._used.of, others))

    def _has_room(self, behind: bool) -> bool:
        return self.busy < (self._room // 2 if behind else self._room)

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

    def give_up(self) -> None:
        """The lease has ended; called once."""
        self.leave()
        if self._foreground is not None:
            self._foreground.give_up(self._account)

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
