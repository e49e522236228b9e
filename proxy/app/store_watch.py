"""Whether the state store answers, asked again and again: readiness says what was heard last, and so does a metric."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from proxy.state import StateError
from proxy.telemetry import Log, Metrics

_log = Log("app")
_EVERY_SECONDS: Final = 2.0


class StoreWatch:
    """`trouble` is why the store cannot be used now; None while it answers."""

    def __init__(self, check: Callable[[], Awaitable[None]], metrics: Metrics) -> None:
        self._check = check
        self._metrics = metrics
        self.trouble: str | None = None

    async def look(self) -> None:
        """Ask once. The store bounds the time it takes."""
        try:
            await self._check()
        except StateError as error:
            if self.trouble is None:
                _log.warning("not_ready", reason=f"the state store cannot be used: {error}")
            self.trouble = f"the state store cannot be used: {error}"
        else:
            if self.trouble is not None:
                _log.info("ready_again")
            self.trouble = None
        self._metrics.set("executor_state_available", self.trouble is None)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)
