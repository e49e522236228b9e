"""A bounded map that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any


class Lru:
    """Entries that weigh at most `limit` together; without `weigh` each weighs 1.

    Used from the event loop and from the catalog's thread; two loads of one key at a time are harmless.
    """

    __slots__ = ("_entries", "_limit", "_lock", "_weigh", "_weight")

    def __init__(self, limit: int, weigh: Callable[[Any], int] = lambda value: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._entries: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any) -> Any | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: Any, value: Any) -> None:
        with self._lock:
            if key in self._entries:
                self._weight -= self._weigh(self._entries.pop(key))
            self._entries[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._limit and len(self._entries) > 1:
                self._weight -= self._weigh(self._entries.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._entries)
