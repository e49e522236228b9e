"""The store of one process: gone with it, bounded by bytes and age.

Rules:
- Over a cap the oldest entries go first; one owner's results never push out another's beyond the owner's share.
- A journal that grows past its own cap loses nothing silently: the append raises `JournalFull`.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from proxy.state.base import Owner


@dataclass(frozen=True, slots=True)
class MemoryCaps:
    """Bytes and seconds. `owner_result_bytes` is the share of one owner in `result_bytes`."""

    journal_bytes: int = 8 * 1024 * 1024
    journal_ttl_seconds: float = 3600.0
    result_bytes: int = 64 * 1024 * 1024
    owner_result_bytes: int = 16 * 1024 * 1024


@dataclass(slots=True)
class _Journal:
    owner: Owner
    touched: float
    records: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Result:
    owner: Owner
    value: bytes
    expires: float


class JournalFull(Exception):
    """One journal alone is larger than everything the store may keep."""


class MemoryState:
    """Implements `State`. `clock` gives seconds that never go back."""

    def __init__(self, caps: MemoryCaps | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._caps = caps or MemoryCaps()
        self._clock = clock
        self._journals: OrderedDict[str, _Journal] = OrderedDict()
        self._journal_bytes = 0
        self._results: OrderedDict[str, _Result] = OrderedDict()
        self._result_bytes = 0

    async def append_journal(self, execution_id: str, owner: Owner, records: Sequence[bytes]) -> None:
        """See `State`. Raises `JournalFull`."""
        journal = self._journals.get(execution_id)
        if journal is None:
            journal = self._journals[execution_id] = _Journal(owner, 0.0)
        added = sum(map(len, records))
        if journal.size + added > self._caps.journal_bytes:
            raise JournalFull(execution_id)
        journal.touched = self._clock()
        journal.records.extend(records)
        journal.size += added
        self._journal_bytes += added
        self._journals.move_to_end(execution_id)
        self._trim_journals()

    async def read_journal(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        self._trim_journals()
        journal = self._journals.get(execution_id)
        return tuple(journal.records) if journal is not None and journal.owner == owner else ()

    async def put_result(self, owner: Owner, value: bytes, ttl_seconds: float) -> str | None:
        self._expire_results()
        if len(value) > min(self._caps.owner_result_bytes, self._caps.result_bytes):
            return None
        self._make_room(owner, len(value))
        ref = f"res_{secrets.token_hex(16)}"
        self._results[ref] = _Result(owner, value, self._clock() + ttl_seconds)
        self._result_bytes += len(value)
        return ref

    async def get_result(self, owner: Owner, ref: str) -> bytes | None:
        self._expire_results()
        found = self._results.get(ref)
        return found.value if found is not None and found.owner == owner else None

    def _trim_journals(self) -> None:
        oldest = self._clock() - self._caps.journal_ttl_seconds
        while self._journals:
            name, journal = next(iter(self._journals.items()))
            if self._journal_bytes <= self._caps.journal_bytes and journal.touched >= oldest:
                return
            del self._journals[name]
            self._journal_bytes -= journal.size

    def _expire_results(self) -> None:
        now = self._clock()
        for ref in [ref for ref, result in self._results.items() if result.expires <= now]:
            self._drop(ref)

    def _make_room(self, owner: Owner, size: int) -> None:
        own = [(ref, len(result.value)) for ref, result in self._results.items() if result.owner == owner]
        held = sum(length for _, length in own)
        for ref, length in own:
            if held + size <= self._caps.owner_result_bytes:
                break
            self._drop(ref)
            held -= length
        while self._results and self._result_bytes + size > self._caps.result_bytes:
            self._drop(next(iter(self._results)))

    def _drop(self, ref: str) -> None:
        self._result_bytes -= len(self._results.pop(ref).value)
