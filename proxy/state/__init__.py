"""What outlives one execution: journals, results, paused executions, decisions, sessions."""

from proxy.state.base import State, Subscription
from proxy.state.memory import MemoryCaps, MemoryState
from proxy.state.opening import open_state
from proxy.state.records import (
    Caps,
    Conflict,
    DecisionRecord,
    Entry,
    ExecutionQuery,
    ExecutionRecord,
    JournalFull,
    Lease,
    LeaseLost,
    Owner,
    PausedSummary,
    PendingFull,
    SessionRecord,
    SessionsFull,
    StateError,
    StateUnavailable,
    StateUnreadable,
)

__all__ = [
    "Caps",
    "Conflict",
    "DecisionRecord",
    "Entry",
    "ExecutionQuery",
    "ExecutionRecord",
    "JournalFull",
    "Lease",
    "LeaseLost",
    "MemoryCaps",
    "MemoryState",
    "Owner",
    "PausedSummary",
    "PendingFull",
    "SessionRecord",
    "SessionsFull",
    "State",
    "StateError",
    "StateUnavailable",
    "StateUnreadable",
    "Subscription",
    "open_state",
]
