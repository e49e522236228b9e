"""A queue that is fair by account: next is whoever has cost least so far. No I/O, no clock.

Start-time fair queueing (Goyal, Vin and Cheng 1996, section 2), with one account for a flow and cost that is known only
afterwards. An account that asks for much waits for itself; one that comes back after a pause has no credit for it, so
it is served next, but not for long.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """`push` and `pop` work items, `charge` what they have cost. Used from one thread."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}
        self._cost: dict[str, float] = {}
        self._now = 0.0  # the cost at which the account stood that was served last

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def push(self, account: str, item: T) -> None:
        """Behind what the account has in the queue already."""
        if not self._lines:
            # Nobody waits: whatever anybody has cost, it has kept nobody waiting who is here now.
            self._now = max(self._cost.values(), default=self._now)
            self._cost.clear()
        if account not in self._lines:
            self._lines[account] = deque()
            self._cost[account] = max(self._cost.get(account, 0.0), self._now)
        self._lines[account].append(item)

    def put_back(self, account: str, item: T) -> None:
        """Before what the account has in the queue: an item that is not finished."""
        self.push(account, item)
        self._lines[account].rotate(1)

    def pop(self) -> tuple[str, T] | None:
        """The next item: of the account that has cost least, of equals the one that came first."""
        account = min(self._lines, key=self._cost.__getitem__, default=None)
        if account is None:
            return None
        line = self._lines[account]
        item = line.popleft()
        self._now = max(self._now, self._cost[account])
        if not line:
            del self._lines[account]
            self._forget()
        return account, item

    def charge(self, account: str, cost: float) -> None:
        """The account has cost this much more."""
        self._cost[account] = max(self._cost.get(account, 0.0), self._now) + cost

    def waiting(self, account: str) -> int:
        """How many items of the account are in the queue."""
        return len(self._lines.get(account, ()))

    def _forget(self) -> None:
        """Accounts that neither wait nor owe anything."""
        paid = [name for name, cost in self._cost.items() if cost < self._now and name not in self._lines]
        for name in paid:
            del self._cost[name]
