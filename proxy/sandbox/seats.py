"""Seats: how many executions run at once, in all and for one account, and who is next when one ends. No I/O.

Rules:
- An account has at most `per_account` seats, whoever else wants one. It has fewest where others have many: what one
  account may have is always in the same proportion to what is free (dynamic thresholds, Choudhury and Hahne 1998), so
  that however many take all they can get, something is left for the next one. With half of the seats for one alone, two
  have a third each, and eight a ninth.
- Of those who wait, the next one is of the account with the fewest seats; of equals, of the one served longest ago;
  within an account, the one that came first.
- The line holds `queue`. When it is full, somebody of the account with the longest line gives way to an account with a
  shorter one: the one that came last. An account that fills the line only keeps itself waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from proxy.sandbox.options import PoolBusy

Seat = asyncio.Future[None]


class Seats:
    """Counts and futures; used from one event loop."""

    def __init__(self, total: int, per_account: int, queue: int) -> None:
        self._total = total
        self._per_account = per_account
        self._queue = queue
        self._taken: Counter[str] = Counter()
        self._lines: dict[str, deque[Seat]] = {}  # in the order in which accounts were served last
        self.busy = 0
        self.waiting = 0

    def take(self, account: str) -> Seat:
        """A future that is done when the account has its seat. Raises `PoolBusy` when the line is full."""
        place: Seat = asyncio.get_running_loop().create_future()
        if not self._lines.get(account) and self._has_room_for(account):
            self._seat(account, place)
            return place
        if self.waiting >= self._queue:
            self._make_room(account)
        self._lines.setdefault(account, deque()).append(place)
        self.waiting += 1
        return place

    def withdraw(self, account: str, place: Seat) -> None:
        """Wait no longer. A seat that was given in the meantime is given back."""
        line = self._lines.get(account, ())
        if place in line:
            self._lines[account].remove(place)
            self.waiting -= 1
            self._forget_if_empty(account)
        elif place.done() and not place.cancelled() and place.exception() is None:
            self.leave(account)

    def leave(self, account: str) -> None:
        """Give a seat back; whoever is next gets it."""
        self.busy -= 1
        self._taken[account] -= 1
        if not self._taken[account]:
            del self._taken[account]
        while (following := self._next()) is not None:
            line = self._lines.pop(following)
            place = line.popleft()
            self.waiting -= 1
            if line:
                self._lines[following] = line  # at the end: it was served last
            if not place.done():
                self._seat(following, place)

    def taken(self, account: str) -> int:
        """The seats that an account has now."""
        return self._taken[account]

    def is_full(self, account: str) -> bool:
        """Whether it has all the seats that one account may have now."""
        taken, free = self._taken[account], self._total - self.busy
        if taken >= self._per_account:
            return True
        return taken * (self._total - self._per_account) >= self._per_account * free

    def _has_room_for(self, account: str) -> bool:
        return self.busy < self._total and not self.is_full(account)

    def _seat(self, account: str, place: Seat) -> None:
        self.busy += 1
        self._taken[account] += 1
        place.set_result(None)

    def _next(self) -> str | None:
        waiting = (account for account in self._lines if self._has_room_for(account))
        return min(waiting, key=lambda account: self._taken[account], default=None)

    def _make_room(self, account: str) -> None:
        longest = max(self._lines, key=lambda name: len(self._lines[name]), default=account)
        own = len(self._lines.get(account, ()))
        if len(self._lines.get(longest, ())) <= own + 1:
            raise PoolBusy("too many executions are waiting for a sandbox worker")
        place = self._lines[longest].pop()
        self.waiting -= 1
        if not place.done():
            place.set_exception(
                PoolBusy("too many executions of this account are waiting for a sandbox worker")
            )

    def _forget_if_empty(self, account: str) -> None:
        if not self._lines[account]:
            del self._lines[account]
