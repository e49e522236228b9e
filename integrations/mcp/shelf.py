"""The tools of one server as they were listed last, and when to list them again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from integrations.mcp.link import Link
from integrations.mcp.listing import fetch_offer
from integrations.mcp.redact import Redactor
from integrations.mcp.servers import Limits
from integrations.mcp.toolset import EMPTY, McpToolset, Offer

log = logging.getLogger("executor.mcp")
MakeToolset = Callable[[Offer], McpToolset]


class Shelf:
    """`toolset` is replaced as a whole, and never by an empty one once it had tools. Used by the owner task only."""

    def __init__(self, name: str, make: MakeToolset, limits: Limits) -> None:
        self._name = name
        self._make = make
        self._limits = limits
        self._soon = False
        self._soonest = 0.0
        self._next = 0.0
        self.toolset: McpToolset = EMPTY
        self.listed = False

    def refresh_soon(self, *, at_once: bool = False) -> None:
        """Many wishes become one listing, and two listings are `shortest_refresh_seconds` apart."""
        self._soon = True
        if at_once:
            self._soonest = 0.0

    def due_in(self) -> float:
        """Seconds until the next listing; not positive when it is due."""
        return (self._soonest if self._soon else self._next) - _now()

    def plan(self, ttl_seconds: float | None) -> None:
        """The next listing, after the server's own time to live or ours."""
        gap = self._limits.shortest_refresh_seconds
        self._soonest = _now() + gap
        self._next = _now() + max(gap, ttl_seconds or self._limits.refresh_seconds)

    async def list(self, link: Link) -> bool:
        """Whether there is a new toolset now. Raises `Trouble`, which changes nothing."""
        self._soon = False
        offer, ttl = await fetch_offer(link, self._limits)
        self.plan(ttl)
        if not offer.tools and self.listed and self.toolset.tools:
            log.warning("mcp server lists no tools now, keeping the ones it had name=%s", self._name)
            return False
        toolset = self._make(offer)
        if self.listed and toolset.digest == self.toolset.digest:
            return False
        self.listed = True
        self.toolset = toolset
        for warning in toolset.warnings:
            log.warning("mcp tools name=%s warning=%s", self._name, Redactor(()).clean(warning))
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
