"""Names in the lists of a cluster that lead nowhere: when one may be taken out.

A name stands in a list before the record that it leads to is there. Whoever looks in between sees a dead name that
comes to life a moment later; an execution whose name was taken out then would be found by nobody. So a name is taken
out when it has been dead for longer than any save takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

MOST_NAMES: Final = 10_000


class DeadNames:
    """What this process has seen dead, and since when. `save_seconds`: the longest time between name and record."""

    def __init__(self, save_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._save_seconds = save_seconds
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def certain(self, listed: str, names: Iterable[str]) -> list[str]:
        """Those of the names, dead now, that were dead long enough already; the others are noted. Of very many the
        oldest notes are forgotten: those names stay in their list for longer."""
        now, found = self._clock(), []
        for name in names:
            since = self._since.setdefault((listed, name), now)
            if now - since > self._save_seconds:
                found.append(name)
                del self._since[listed, name]
        while len(self._since) > MOST_NAMES:
            del self._since[next(iter(self._since))]
        return found
