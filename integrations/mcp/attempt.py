"""`Attempt`: one try to have an open link, which many calls may wait for."""

from __future__ import annotations

import asyncio

from integrations.mcp.link import Link
from integrations.mcp.trouble import Trouble


class Attempt:
    """One try to have an open link, awaited by every call that needs it. `wanted`: somebody has asked for it."""

    def __init__(self) -> None:
        self._done = asyncio.Event()
        self.outcome: Link | Trouble | None = None
        self.wanted = False

    @property
    def settled(self) -> bool:
        return self.outcome is not None

    def settle(self, outcome: Link | Trouble) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    async def result(self) -> Link | Trouble:
        self.wanted = True
        await self._done.wait()
        assert self.outcome is not None
        return self.outcome
