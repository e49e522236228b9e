"""The store of one process: gone with it, bounded by bytes and age. The same tables as the file, in memory.

Rules:
- Nothing is encrypted: it never leaves the process.
- Over a cap the oldest entries go first; journals of executions that are not settled stay, and a journal that then
  does not fit raises `JournalFull`.
"""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.state.keys import Plain
from proxy.state.records import Caps, JournalFull
from proxy.state.sqlite.database import Chores, Inline
from proxy.state.sqlite.schema import migrate
from proxy.state.sqlite.store import SWEEP_SECONDS, SqliteState
from proxy.state.sqlite.sweep import sweep

__all__ = ["JournalFull", "MemoryCaps", "MemoryState"]

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemoryCaps:
    """Bytes and seconds. `owner_result_bytes` is the share of one owner in `result_bytes`."""

    journal_bytes: int = 32 * _MIB
    journal_ttl_seconds: float = 3600.0
    result_bytes: int = 64 * _MIB
    owner_result_bytes: int = 16 * _MIB


class MemoryState(SqliteState):
    """Implements `State`. `clock` gives seconds; they have to be those of 1970 where records carry times."""

    def __init__(self, caps: MemoryCaps | None = None, clock: Callable[[], float] = time.time) -> None:
        # One thread uses it, but the collector may end it in any.
        db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256, check_same_thread=False)
        weakref.finalize(self, db.close)
        migrate(db)
        super().__init__(
            Inline(db, clock, Chores(sweep, SWEEP_SECONDS)), Plain(), _caps(caps or MemoryCaps())
        )

    @property
    def durable(self) -> bool:
        return False


def _caps(caps: MemoryCaps) -> Caps:
    return Caps(
        journal_bytes=caps.journal_bytes,
        journals_bytes=caps.journal_bytes,
        journal_ttl_seconds=caps.journal_ttl_seconds,
        result_bytes=caps.result_bytes,
        owner_result_bytes=caps.owner_result_bytes,
    )
