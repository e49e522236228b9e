"""One process's hold on one execution in the state store: lease, index record, journal.

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

from proxy.executions.journal import encode
from proxy.executions.protocol import Write
from proxy.state import Decision, ExecutionRecord, Lease, LeaseLost, Owner, State, StateUnavailable

LEASE_SECONDS: Final = 8.0
_RENEW_SECONDS: Final = 2.0


class ApprovalGone(LeaseLost):
    """Somebody else used the approval up, or it expired between judging and sending. Nothing was written."""


class Claim:
    """`record` is the index record as last saved, or as it will be saved first.

    `known`: others know its id already, so it is kept from its first record on, and only one process can begin it.
    """

    def __init__(
        self, store: State, record: ExecutionRecord, lease: Lease | None = None, *, known: bool = False
    ) -> None:
        self._store = store
        self.known = known
        self.record = record
        self.lease = lease
        self.decisions: Mapping[str, Decision] = {}
        self._used: set[str] = set()
        self._held = asyncio.Event()
        if lease is not None:
            self._held.set()

    @property
    def _id(self) -> str:
        return self.record.execution_id

    @property
    def _owner(self) -> Owner:
        return self.record.owner

    @property
    def kept(self) -> bool:
        """Whether the store knows this execution."""
        return self.record.version > 0

    async def write(self, writes: Sequence[Write], *, guarded: bool) -> None:
        """Store them in this order. `guarded`: they must not be lost. Raises `LeaseLost` and what stores raise."""
        if self.known and not self.kept:
            await self.take([encode(one.record) for one in writes])
            return
        if guarded and not self.kept:
            await self.take()
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
        decision = self.decisions.get(interaction)
        if decision is None or not await self._store.use_decision(
            decision, records=records, lease=self.lease
        ):
            raise ApprovalGone(interaction)
        self._used.add(interaction)

    async def take(self, first: Sequence[bytes] = ()) -> None:
        """Take the lease and let the store know of the execution. Raises `LeaseLost`.

        The index record is saved together with the journal so far, `first` included, or after it: what the store knows
        of can be gone on with.
        """
        holder = secrets.token_hex(8)
        lease = await self._store.acquire_lease(self._id, holder, LEASE_SECONDS)
        if lease is None:
            raise LeaseLost(self._id)
        self.lease = lease
        if self.known and await self._store.find_execution(self._id, self._owner.workspace_id) is not None:
            # Somebody else has begun it, and may have ended it by now.
            await self.release()
            raise LeaseLost(self._id)
        self._held.set()
        if first:
            await self._store.append_journal(self._id, self._owner, first, lease=lease, durable=False)
        await self.save(replace(self.record, status="running"))

    async def save(self, record: ExecutionRecord, *, pending_cap: int | None = None) -> None:
        """Write the index record under the lease."""
        self.record = await self._store.save_execution(record, lease=self.lease, pending_cap=pending_cap)

    async def keep(self) -> None:
        """Renew the lease as long as it is ours; returns when it was lost.

        While the store is away nobody can take it either, so that is no reason to stop: every write proves it again.
        """
        await self._held.wait()
        while self.lease is not None:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                renewed = await self._store.renew_lease(self.lease, LEASE_SECONDS)
            except StateUnavailable:
                continue
            if renewed is None:
                return
            self.lease = renewed

    async def release(self) -> None:
        """Let others drive. Safe to repeat. While the store is away the lease ends by itself."""
        lease, self.lease = self.lease, None
        if lease is not None:
            with suppress(StateUnavailable):
                await self._store.release_lease(lease)

    async def forget(self) -> None:
        """The execution is over: its journal is not needed any more."""
        await self._store.drop_journal(self._id, self._owner, written=self.kept)
