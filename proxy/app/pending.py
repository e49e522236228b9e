"""How many executions wait for a decision: asked of the state store now and then, told at each scrape.

The store knows them for all replicas, so every replica tells the same figure: dashboards take the largest, not the sum.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

from integrations.base import JsonObject
from proxy.config import Config
from proxy.state import PausedSummary, StateError
from proxy.telemetry import MetricsRegistry

_EVERY_SECONDS: Final = 10.0


class ApprovalsWatch:
    """`summary` asks the store. While it does not answer the gauges are NaN: no figure is better than an old one."""

    def __init__(
        self,
        summary: Callable[[], Awaitable[PausedSummary]],
        metrics: MetricsRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._summary = summary
        self._metrics = metrics
        self._clock = clock
        self._last: PausedSummary | None = None

    async def look(self) -> None:
        """Ask once. The store bounds the time it takes, and its own watch says what is wrong with it."""
        try:
            self._last = await self._summary()
        except StateError:
            self._last = None

    def measure(self, config: Config) -> None:
        """Sets the gauges. The config says how long a pause may last: its age is what of that is over."""
        last = self._last
        self._metrics.set("executor_approvals_pending", last.executions if last is not None else math.nan)
        self._metrics.set("executor_approvals_oldest_pending_seconds", self._age(last, config))

    def as_json(self, config: Config) -> JsonObject:
        """For `GET /-/status`; null while the store does not answer."""
        last = self._last
        if last is None:
            return {"pending": None, "oldest_seconds": None}
        return {"pending": last.executions, "oldest_seconds": round(self._age(last, config), 1)}

    def _age(self, last: PausedSummary | None, config: Config) -> float:
        if last is None:
            return math.nan
        if last.next_due_at is None:
            return 0.0
        space = config.workspaces.get(last.next_workspace_id or "")
        own = space.elicitation.approval_timeout if space is not None else None
        allowed = config.elicitation.approval_timeout if own is None else own
        return max(0.0, allowed - (last.next_due_at - self._clock()))

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)
