"""The last minutes of a process: readiness goes down, nothing new starts, open streams end by themselves."""

from __future__ import annotations

from collections.abc import Callable

from proxy.serving.errors import Refusal

RETRY_AFTER_SECONDS = 5


class Drain:
    """One per start. `begin` is called once by whoever handles SIGTERM; it never waits."""

    def __init__(self) -> None:
        self.active = False
        self._endings: list[Callable[[], None]] = []

    def on_begin(self, ending: Callable[[], None]) -> None:
        """Register what closes streams. It must not block or raise."""
        self._endings.append(ending)

    def begin(self) -> None:
        if self.active:
            return
        self.active = True
        for ending in self._endings:
            ending()

    def refuse_new_work(self) -> None:
        """Raises `Refusal` (503 with Retry-After) once draining has begun."""
        if self.active:
            raise Refusal(
                "unavailable",
                "This server is shutting down. Try again in a few seconds.",
                headers={"retry-after": str(RETRY_AFTER_SECONDS)},
            )
