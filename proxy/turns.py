"""Turns: whose work the event loop does next, when there is more of it than it can do at once.

Rules:
- Work of an account takes a turn where it begins to cost the loop time: a request that was authenticated, a worker's
  answer. Nobody waits while nobody of another account does.
- A turn lasts `ROUNDS` rounds of the loop, about as many as such work takes; what it does later waits for the next one.
- Next is the account with the fewest requests under way; of equals, the one whose turn was longest ago.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

ROUNDS: Final = 8


class Turns:
    """Used from one event loop."""

    def __init__(self, under_way: Callable[[str], int] = lambda account: 0) -> None:
        self._under_way = under_way
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of their latest turns
        self._whose: str | None = None
        self._left = 0

    async def take(self, account: str) -> None:
        """Return when it is the account's turn."""
        if self._whose is None:
            self._give(account)
        elif self._whose != account or self._lines:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._lines.setdefault(account, deque()).append(turn)
            await turn

    def _give(self, account: str) -> None:
        self._whose, self._left = account, ROUNDS
        asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        self._left -= 1
        if self._left:
            asyncio.get_running_loop().call_soon(self._round)
            return
        self._whose = None
        while self._lines:
            following = min(self._lines, key=self._under_way)
            line = self._lines.pop(following)
            turn = line.popleft()
            if line:
                self._lines[following] = line
            if not turn.done():  # else whoever waited has gone
                self._give(following)
                turn.set_result(None)
                return
