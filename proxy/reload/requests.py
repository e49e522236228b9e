"""Requests for a reload. They are merged, so that there is never a queue of reloads."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from proxy.reload.decisions import ReloadOutcome, Trigger


class ReloadRequests:
    """All who ask before the files are read (again) share one answer: that of the content then read."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()
        self._asked: _Request | None = None
        self._joined: list[_Request] = []

    @property
    def wanted(self) -> bool:
        return self._wanted.is_set()

    @property
    def trigger(self) -> Trigger:
        """Of the newest request that the reload in progress answers."""
        return self._joined[-1].trigger if self._joined else "watch"

    def ask(self, trigger: Trigger) -> asyncio.Future[ReloadOutcome | None]:
        """The future is shared: shield it. It gets None if nobody will ever answer."""
        if self._asked is None:
            self._asked = _Request(trigger)
        self._asked.trigger = trigger
        self._wanted.set()
        return self._asked.answered

    def join(self) -> None:
        """Whoever has asked by now gets the outcome of what is read next."""
        self._wanted.clear()
        if self._asked is not None:
            self._joined.append(self._asked)
            self._asked = None

    def answer(self, outcome: ReloadOutcome | None) -> None:
        joined, self._joined = self._joined, []
        for asked in joined:
            asked.answer(outcome)

    def stop(self) -> None:
        """Nobody is left without an answer."""
        self.join()
        self.answer(None)

    async def wanted_within(self, seconds: float | None) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        return self.wanted

    async def wanted_or_done(self, task: asyncio.Task[object]) -> None:
        """Returns when somebody asks or `task` is done, whatever comes first."""
        request = asyncio.get_running_loop().create_task(self._wanted.wait(), name="config-superseded")
        try:
            await asyncio.wait([task, request], return_when=asyncio.FIRST_COMPLETED)
        finally:
            request.cancel()


class _Request:
    __slots__ = ("answered", "trigger")

    def __init__(self, trigger: Trigger) -> None:
        self.trigger: Trigger = trigger
        self.answered: asyncio.Future[ReloadOutcome | None] = asyncio.get_running_loop().create_future()

    def answer(self, outcome: ReloadOutcome | None) -> None:
        if not self.answered.done():
            self.answered.set_result(outcome)
