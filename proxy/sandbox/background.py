"""Background: of the workers that compute for long only a few do so at once, in turns; the others stand still.

A kernel owes each runnable process a little time, whatever its priority: twenty that never end make the event loop wait
for twenty short slices. A process that is stopped is owed nothing.

Rules:
- As many compute as there are processors. Next is one of the account that has used least CPU time lately; within an
  account, the one that stood still for longest.
- A turn ends after `TURN_SECONDS`, if somebody waits for it. What answers, ends or is ended has no turn any more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, Protocol

TURN_SECONDS: Final = 0.05


class Computing(Protocol):
    """What takes turns."""

    @property
    def account(self) -> str: ...

    def stand_still(self) -> None:
        """Its process is stopped."""

    def go_on(self) -> None:
        """Its process goes on."""

    def count(self) -> None:
        """Charge the account with what was used since the last time."""


def processors() -> int:
    return len(os.sched_getaffinity(0))


class Background:
    """Used from one event loop. `used`: the CPU time of an account lately."""

    def __init__(self, room: int, used: Callable[[str], float], turn_seconds: float = TURN_SECONDS) -> None:
        self._room = room
        self._used = used
        self._turn_seconds = turn_seconds
        self._computing: list[Computing] = []  # the longest turn first
        self._waiting: list[Computing] = []
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, one: Computing) -> None:
        """It computes for long from now on, when it has a turn."""
        if one in self._computing or one in self._waiting:
            return
        if len(self._computing) < self._room:
            self._computing.append(one)
            return
        one.stand_still()
        self._waiting.append(one)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._turn_seconds, self.end_turn)

    def leave(self, one: Computing) -> None:
        """It computes no longer, or its process is about to end. Safe to repeat."""
        if one in self._waiting:
            self._waiting.remove(one)
            one.go_on()
        elif one in self._computing:
            self._computing.remove(one)
            self._fill()

    def end_turn(self) -> None:
        """Whoever had a turn stands still, for as many as wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for one in self._computing:
            one.count()
        ended = self._computing[: len(self._waiting)]
        del self._computing[: len(ended)]
        for one in ended:
            one.stand_still()
        self._waiting += ended
        self._fill()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._turn_seconds, self.end_turn)

    def _fill(self) -> None:
        while self._waiting and len(self._computing) < self._room:
            following = min(self._waiting, key=lambda one: self._used(one.account))
            self._waiting.remove(following)
            self._computing.append(following)
            following.go_on()
