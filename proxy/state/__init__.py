"""What outlives one execution: journals and large results. Kept in memory so far; one protocol for every store."""

from proxy.state.base import Owner, State
from proxy.state.memory import MemoryCaps, MemoryState

__all__ = ["MemoryCaps", "MemoryState", "Owner", "State"]
