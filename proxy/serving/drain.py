"""The last minutes of a process: readiness goes down, nothing new starts, open streams and long waits end by
themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from proxy.serving.http.errors import RequestRefusal

RETRY_AFTER_SECONDS = 5


class Drain:
    """One per start. `begin` is called once by whoever handles SIGTERM; it never waits.

    `leaving` is set before: readiness is down, so that balancers look elsewhere, and everything is still served.
    """

    def __init__(self) -> None:
        self.leaving = False
        self.active = False
        self._endings: list[Callable[[], None]] = []
        self._waits: set[anyio.CancelScope] = set()

    def on_begin(self, ending: Callable[[], None]) -> None:
        """Register what closes streams. It must not block or raise."""
        self._endings.append(ending)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that only waits, for a person say: it is left when draining begins, and not entered afterwards."""
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            if self.active:
                scope.cancel()
            try:
                yield
            finally:
                self._waits.discard(scope)

    def begin(self) -> None:
        if self.active:
            return
        self.leaving = self.active = True
        for ending in self._endings:
            ending()
        for scope in list(self._waits):
            scope.cancel()

    def refuse_new_work(self) -> None:
        """Raises `RequestRefusal` (503 with Retry-After) once draining has begun."""
        if self.active:
            raise RequestRefusal(
                "unavailable",
                "This server is shutting down. Try again in a few seconds.",
                headers={"retry-after": str(RETRY_AFTER_SECONDS)},
            )
