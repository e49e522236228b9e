"""What has happened to an execution and was not told to its machine yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.executions.protocol import DeadlineReached, Event, TimerDue


class Inbox:
    """Bounded, in the order of arrival. `wake` is when the code's earliest timer is due, if it waits for one.

    Times are milliseconds of `clock`.
    """

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._events: asyncio.Queue[Event] = asyncio.Queue(size)
        self.wake: float | None = None

    def put(self, event: Event) -> None:
        """Never waits: `size` is the most that one execution can have under way."""
        self._events.put_nowait(event)

    async def next(self, last: float) -> Event:
        """What happens next: something that came, or time running out, at the latest at `last`."""
        while True:
            now = self._clock()
            if now >= last:
                return DeadlineReached(now)
            if not self._events.empty():
                return self._events.get_nowait()
            if self.wake is not None and now >= self.wake:
                return TimerDue(now)
            until = last if self.wake is None else min(last, self.wake)
            try:
                async with asyncio.timeout((until - now) / 1000):
                    return await self._events.get()
            except TimeoutError:
                continue
