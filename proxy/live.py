"""The one mutable pointer: which generation serves, and who still uses an older one.

Rules this module keeps:
- `swap` is one assignment; nobody ever sees half of a generation.
- A generation is closed once, after it was replaced and its last lease ended.
- Only the event loop's thread calls in here, so there are no locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from proxy.workspace import Generation

Release = Callable[[Generation], None]
SwapListener = Callable[[Generation], None]
ReloadResult = Literal["applied", "unchanged", "rejected"]
"""How a reload ended: whether another generation became current."""


class NotServing(RuntimeError):
    """No generation is live yet (start-up) or any more (shut-down)."""


class Live:
    """Holds the current generation; hands out leases; tells listeners about swaps.

    `release` is called exactly once per generation, when it is neither current nor leased. It must not block.
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._current: Generation | None = None
        self._leases: dict[int, int] = {}
        self._listeners: list[SwapListener] = []

    @property
    def current(self) -> Generation:
        """The generation new work starts on. Raises `NotServing` before the first swap."""
        if self._current is None:
            raise NotServing("no configuration is active")
        return self._current

    @property
    def serving(self) -> bool:
        return self._current is not None

    def swap(self, generation: Generation) -> None:
        """Make `generation` current, tell the listeners, let go of the old one."""
        old, self._current = self._current, generation
        for listener in tuple(self._listeners):
            listener(generation)
        if old is not None:
            self._close_if_idle(old)

    def close(self) -> None:
        """Stop serving; the last generation is released when its leases end."""
        old, self._current = self._current, None
        if old is not None:
            self._close_if_idle(old)

    @contextmanager
    def lease(self) -> Iterator[Generation]:
        """Keep the current generation's upstreams open for the length of the block."""
        generation = self.current
        key = id(generation)
        self._leases[key] = self._leases.get(key, 0) + 1
        try:
            yield generation
        finally:
            self._leases[key] -= 1
            if not self._leases[key]:
                del self._leases[key]
            if generation is not self._current:
                self._close_if_idle(generation)

    def subscribe(self, listener: SwapListener) -> Callable[[], None]:
        """Call `listener` after every swap, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def leases(self) -> int:
        """Leases held now, over all generations."""
        return sum(self._leases.values())

    def _close_if_idle(self, generation: Generation) -> None:
        if id(generation) not in self._leases:
            self._release(generation)
