"""One process's hold on one execution in the state store: lease, index record, journal; and how others hear of it.

Rules:
- Nothing of an execution that only reads is kept beyond this process: its records wait in the store's buffer, and are
  dropped at the end. The first call that must not be repeated, and the first pause, take the lease, save the index
  record and make the journal durable, before anything is sent.
- From then on every write carries the lease: a process that lost it writes nothing any more.
- An approval is used up in the same step that records the dispatch it allows.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from proxy.executions.machine.events import WriteRecord
from proxy.executions.machine.journal import encode
from proxy.state import DecisionRecord, ExecutionRecord, Lease, LeaseLost, Owner, State, StateUnavailable

LEASE_SECONDS: Final = 8.0
_RENEW_SECONDS: Final = 2.0
CANCELS: Final = "executions.cancel"
"""The topic on which a replica asks the others to cancel an execution, by its id."""


class ApprovalGone(LeaseLost):
    """Somebody else used the approval up, or it expired between judging and sending. Nothing was written."""


class ExecutionLease:
    """`record` is the index record as last saved, or as it will be saved first; `lease` is set while it is ours.

    `announced`: others know its id already, so it is stored from its first record on, and only one process can begin
    it.
    """

    def __init__(
        self, store: State, record: ExecutionRecord, lease: Lease | None = None, *, announced: bool = False
    ) -> None:
        self._store = store
        self.announced = announced
        self.record = record
        self.lease = lease
        self._decisions: Mapping[str, DecisionRecord] = {}
        self._used: set[str] = set()

    @property
    def _id(self) -> str:
        return self.record.execution_id

    @property
    def _owner(self) -> Owner:
        return self.record.owner

    @property
    def is_stored(self) -> bool:
        """Whether the store knows this execution."""
        return self.record.version > 0

    async def write(self, writes: Sequence[WriteRecord], *, guarded: bool) -> None:
        """Store them in this order. `guarded`: they must not be lost. Raises `LeaseLost` and what stores raise."""
        if self.announced and not self.is_stored:
            await self.acquire([encode(one.record) for one in writes])
            return
        if guarded and not self.is_stored:
            await self.acquire()
        plain: list[bytes] = []
        approved: dict[str, list[bytes]] = {}
        for one in writes:
            if one.uses is not None and one.uses not in self._used:
                approved.setdefault(one.uses, []).append(encode(one.record))
            else:
                plain.append(encode(one.record))
        if plain:
            await self._store.append_journal(self._id, self._owner, plain, lease=self.lease, durable=guarded)
        for interaction, records in approved.items():
            await self._use(interaction, records)

    async def _use(self, interaction: str, records: list[bytes]) -> None:
        decision = self._decisions.get(interaction)
        if decision is None or not await self._store.use_decision(
            decision, records=records, lease=self.lease
        ):
            raise ApprovalGone(interaction)
        self._used.add(interaction)

    async def acquire(self, first: Sequence[bytes] = ()) -> None:
        """Take the lease and let the store know of the execution. Raises `LeaseLost`.

        The index record is saved together with the journal so far, `first` included, or after it: what the store knows
        of can be continued.
        """
        holder = secrets.token_hex(8)
        lease = await self._store.acquire_lease(self._id, holder, LEASE_SECONDS)
        if lease is None:
            raise LeaseLost(self._id)
        self.lease = lease
        if (
            self.announced
            and await self._store.find_execution(self._id, self._owner.workspace_id) is not None
        ):
            # Somebody else has begun it, and may have ended it by now.
            await self.release()
            raise LeaseLost(self._id)
        if first:
            await self._store.append_journal(self._id, self._owner, first, lease=lease, durable=False)
        await self.save(replace(self.record, status="running"))

    def found(self, record: ExecutionRecord) -> None:
        """The record as the store has it now."""
        self.record = record

    def decided(self, decisions: Mapping[str, DecisionRecord]) -> None:
        """The decisions that calls may use up, by interaction."""
        self._decisions = decisions

    async def save(self, record: ExecutionRecord, *, pending_cap: int | None = None) -> None:
        """Write the index record under the lease."""
        self.record = await self._store.save_execution(record, lease=self.lease, pending_cap=pending_cap)

    async def renew(self) -> None:
        """Renew the lease as long as it is ours; returns when it was lost.

        While the store is away nobody else can take it, so the run continues: every write proves the lease again.
        """
        while self.lease is not None:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                renewed = await self._store.renew_lease(self.lease, LEASE_SECONDS)
            except StateUnavailable:
                continue
            if renewed is None:
                return
            self.lease = renewed

    def give_away(self) -> Lease | None:
        """The lease, for somebody who holds it from now on."""
        lease, self.lease = self.lease, None
        return lease

    async def release(self) -> None:
        """Let others drive. Safe to repeat. While the store is away the lease ends by itself."""
        lease = self.give_away()
        if lease is not None:
            with suppress(StateUnavailable):
                await self._store.release_lease(lease)

    async def forget(self) -> None:
        """The execution is over: its journal is not needed any more."""
        await self._store.drop_journal(self._id, self._owner, written=self.is_stored)


# ---- news ---------------------------------------------------------------------------------------------------------
def topic(execution_id: str) -> str:
    """Where it is published that something about an execution has changed."""
    return f"execution.{execution_id}"


def pauses(workspace_id: str) -> str:
    """Where the ids of executions that paused are published, for inboxes and webhooks."""
    return f"pauses.{workspace_id}"


async def tell(store: State, where: str, message: bytes = b"") -> None:
    """Publish a hint. While the store is away it is lost; those who wait look again every few seconds anyway."""
    with suppress(StateUnavailable):
        await store.publish(where, message)
