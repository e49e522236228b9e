"""Messages between the parts of one process. Over Redis they come from all replicas, through the same hub."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

QUEUE_SIZE: Final = 256


class Inbox:
    """Implements `Subscription`. Full, it drops everything and tells so once: who is that far behind reads anew."""

    def __init__(self, size: int = QUEUE_SIZE) -> None:
        self._size = size
        self._waiting: deque[bytes] = deque()
        self._missed = False
        self._filled = asyncio.Event()

    def put(self, message: bytes) -> None:
        if len(self._waiting) >= self._size:
            self.gap()
            return
        self._waiting.append(message)
        self._filled.set()

    def gap(self) -> None:
        """Messages may have been missed here. What waits is older than the gap, and need not be read any more."""
        self._waiting.clear()
        self._missed = True
        self._filled.set()

    async def receive(self) -> bytes | None:
        await self._filled.wait()
        if self._missed:
            self._missed = False
            message = None
        else:
            message = self._waiting.popleft()
        if not self._waiting:
            self._filled.clear()
        return message


class Hub:
    """Implements `Publications` within one process."""

    def __init__(self) -> None:
        self._topics: dict[str, set[Inbox]] = {}

    async def publish(self, topic: str, message: bytes) -> None:
        self.hand_out(topic, message)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Inbox]:
        inbox = Inbox()
        self._topics.setdefault(topic, set()).add(inbox)
        try:
            yield inbox
        finally:
            self._topics[topic].discard(inbox)
            if not self._topics[topic]:
                del self._topics[topic]

    def hand_out(self, topic: str, message: bytes) -> None:
        """To the subscribers of this process, at once."""
        for inbox in self._topics.get(topic, ()):
            inbox.put(message)

    def gap(self) -> None:
        """Tell every subscriber that messages may have been missed."""
        for inboxes in self._topics.values():
            for inbox in inboxes:
                inbox.gap()

    @property
    def topics(self) -> frozenset[str]:
        """Those that somebody here is subscribed to."""
        return frozenset(self._topics)
