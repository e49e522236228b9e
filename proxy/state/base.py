"""The protocol of every store: `memory`, `sqlite`, `redis`. Small protocols, one per purpose; a store is all of them.

Rules that hold for every call:
- One call is one atomic step: it happens whole or not at all, and calls that touch the same record have one order,
  whichever replica they come from.
- A write that returned survives the death of this process (memory: nothing does). Pauses, outcomes and decisions also
  survive a power cut (sqlite: synced to disk; redis: as its own persistence is set).
- A missing, expired or foreign record is "not there": all three look the same to the one who asks.
- Every call may raise `StateUnavailable`, within a bounded time. A write that raised it, or whose task was cancelled,
  may have happened. Making the same call again is safe; only a journal has to be read before it is appended to.
- Values are encrypted (memory: not) together with their kind, name and owner, so that a record which somebody moved to
  another place does not open. Ids, owners, times and statuses are readable: the store looks them up.

How an execution uses it: take the lease on the execution's id; append records before what they are about is done; save
the execution as `running` before the first call that must not be repeated; save it as `paused` and release the lease;
whoever resumes takes the lease, reads the journal and replays; `use_decision` writes the dispatch record in the same
step that uses the decision up; save as `settled` and drop the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from proxy.state.records import (
    DecisionRecord,
    Entry,
    ExecutionQuery,
    ExecutionRecord,
    Lease,
    Owner,
    PausedSummary,
    SessionRecord,
)

if TYPE_CHECKING:
    # Loading it takes 60 ms, which a command that counts nothing should not wait for.
    from limits.aio.storage import Storage


class Journals(Protocol):
    """What a replay needs, one journal per execution. Called by `proxy.executions` only."""

    async def append_journal(
        self,
        execution_id: str,
        owner: Owner,
        records: Sequence[bytes],
        *,
        lease: Lease | None = None,
        durable: bool = True,
    ) -> None:
        """Add records at the end, in this order, together. The journal then lives for another `journal_ttl_seconds`.

        One task at a time appends to a journal. With `lease` nothing is written unless it is still held
        (`LeaseLost`). Without `durable` the records may stay in this process until the next durable append, save or
        decision used of the same execution, which carries them along; they are lost if the process dies before.
        Raises `JournalFull`; `Conflict` after a write of this journal that may have happened, until the journal is
        read or dropped.
        """
        ...

    async def read_journal(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        """All records in the order of writing; empty when there is no such journal or it is another owner's."""
        ...

    async def drop_journal(self, execution_id: str, owner: Owner, *, written: bool = True) -> None:
        """Forget it, and what was held back for it. Nothing happens when there is none.

        Without `written` all appends were made here and without `durable`: the store is asked only if some of them
        did not fit into this process.
        """
        ...


class Results(Protocol):
    """Values too large to return. Called by `proxy.executions` (put) and `proxy.calls` (get)."""

    async def put_result(self, owner: Owner, value: bytes, ttl_seconds: float) -> str | None:
        """Keep a JSON document; its reference (unguessable), or None when it is larger than the store takes.

        Over a cap the oldest go first; one owner's results never push out another's beyond the owner's share.
        """
        ...

    async def get_result(self, owner: Owner, ref: str) -> bytes | None:
        """The document, or None when it expired, was evicted, never was, or is another owner's."""
        ...


class ExecutionRecords(Protocol):
    """The index of executions that exist beyond one process. Called by `proxy.executions`."""

    async def save_execution(
        self, record: ExecutionRecord, *, lease: Lease | None = None, pending_cap: int | None = None
    ) -> ExecutionRecord:
        """Write it if the stored one still has `record.version` (0: if there is none); the record as stored.

        The journal lives at least as long as the record. Settling neither needs nor writes the journal.
        Raises `Conflict`; `LeaseLost`, see `append_journal`; `PendingFull` when this save would bring the owner's
        pending decisions, of all its paused executions that are not yet due, over `pending_cap`.
        """
        ...

    async def find_execution(self, execution_id: str, workspace_id: str) -> ExecutionRecord | None:
        """The record, for anybody of its workspace: the caller judges whether it is the owner or an approver."""
        ...

    async def list_executions(self, query: ExecutionQuery) -> tuple[ExecutionRecord, ...]:
        """Newest first, at most 500. Records that no key opens are left out and logged."""
        ...

    async def unattended(self, limit: int = 100) -> tuple[ExecutionRecord, ...]:
        """Of all workspaces: running ones whose lease nobody holds, and paused ones that are due. Oldest first.

        Every replica may ask; who acts on one takes its lease and saves it, so only one of them succeeds.
        """
        ...

    async def paused_summary(self) -> PausedSummary:
        """For metrics: reads an index, however many there are."""
        ...


class DecisionRecords(Protocol):
    """Single-use decisions about paused calls. Written by whoever approves, on any replica; used by the execution."""

    async def decide(self, decision: DecisionRecord) -> DecisionRecord | None:
        """Record it unless there is one already; the one in force. The first decision stands.

        None when the execution is not there, is settled, or is another owner's: nobody would use the decision.
        """
        ...

    async def decisions(self, execution_id: str, owner: Owner) -> tuple[DecisionRecord, ...]:
        """All that have not expired, used or not, in no particular order."""
        ...

    async def use_decision(
        self, decision: DecisionRecord, *, records: Sequence[bytes] = (), lease: Lease | None = None
    ) -> bool:
        """Use it up and append `records` to the journal, both or neither. True for exactly one caller, ever.

        False, and nothing written, when it was used before, expired, never was, or its binding is another one.
        Raises `LeaseLost`, `JournalFull`.
        """
        ...


class Sessions(Protocol):
    """Handshake-era sessions with a sliding time to live. Called by `proxy.serving`."""

    async def open_session(
        self, record: SessionRecord, *, ttl_seconds: float, owner_cap: int, total_cap: int
    ) -> tuple[str, ...]:
        """Keep a new session. At its cap the owner's sessions unused longest make room: their ids are returned.

        Raises `SessionsFull` when `total_cap` sessions are open all the same.
        """
        ...

    async def use_session(self, session_id: str, ttl_seconds: float) -> SessionRecord | None:
        """The session, for any owner (the caller tells 403 from 404), its life prolonged to `ttl_seconds` from now.

        Prolonging is written at most sixteen times in a time to live, so a session may end that much earlier.
        """
        ...

    async def save_session(self, session_id: str, owner: Owner, body: bytes) -> bool:
        """Replace the body; its life is as before. False when there is no such session of this owner."""
        ...

    async def close_session(self, session_id: str, owner: Owner) -> bool:
        """Forget it. False when there is no such session of this owner."""
        ...


class Leases(Protocol):
    """One driver at a time. The lease on an execution bears the execution's id."""

    async def acquire_lease(self, name: str, holder: str, ttl_seconds: float) -> Lease | None:
        """A new lease, or None while somebody holds it. `holder` is unique for each attempt, say a replica's id and a
        random part: the same holder asking again is a repeated call and gets the lease it has."""
        ...

    async def renew_lease(self, lease: Lease, ttl_seconds: float) -> Lease | None:
        """The lease with a new end, or None when it was lost. One that ran out is lost even if nobody took it."""
        ...

    async def release_lease(self, lease: Lease) -> None:
        """Give it back. Nothing happens when it was lost."""
        ...

    async def lease_of(self, name: str) -> Lease | None:
        """Who holds it now."""
        ...


class Entries(Protocol):
    """Small documents by kind, workspace and key: tokens, idempotency keys, overlays."""

    async def read_entry(self, kind: str, workspace_id: str, key: str) -> Entry | None:
        """The entry as it is now."""
        ...

    async def write_entry(self, entry: Entry) -> Entry:
        """Write it if the stored one still has `entry.version` (0: if there is none); as stored. Raises `Conflict`."""
        ...

    async def drop_entry(self, entry: Entry) -> bool:
        """Forget it if it is still in this version; whether it was."""
        ...

    async def list_entries(self, kind: str, workspace_id: str, limit: int = 500) -> tuple[Entry, ...]:
        """By key. Entries that no key opens are left out and logged."""
        ...


class Subscription(Protocol):
    """The messages of one topic from the moment of subscribing, in each publisher's order."""

    async def receive(self) -> bytes | None:
        """The next message. None: some may have been missed (the connection was away, or the reader too slow, 256
        messages wait at most); read the state again. Waits without a limit: the caller sets one."""
        ...


class Publications(Protocol):
    """Hints between replicas. What matters is in the state; a message only says that it is worth looking.

    memory and sqlite: within this process only. redis: all replicas, the sender included.
    """

    async def publish(self, topic: str, message: bytes) -> None:
        """To everybody who is subscribed now; at most once each."""
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Subscription]:
        """Messages published after entering are received, or their loss is told."""
        ...


class Backend(Protocol):
    """What a store says about itself."""

    @property
    def durable(self) -> bool:
        """Whether what is written outlives this process."""
        ...

    @property
    def counters(self) -> Storage | None:
        """Where rate limits are counted for all replicas; None: each process counts for itself."""
        ...

    async def check(self) -> None:
        """Return if the store takes a write, which is more than an answer. For readiness."""
        ...


class State(
    Journals,
    Results,
    ExecutionRecords,
    DecisionRecords,
    Sessions,
    Leases,
    Entries,
    Publications,
    Backend,
    Protocol,
):
    """A whole store. Opened and closed by `open_state`."""


__all__ = [
    "Backend",
    "DecisionRecords",
    "Entries",
    "ExecutionRecords",
    "Journals",
    "Leases",
    "Owner",
    "Publications",
    "Results",
    "Sessions",
    "State",
    "Subscription",
]
