"""Leases in SQL. Tokens come from one counter of the file, so they grow even after a lease was forgotten."""

from __future__ import annotations

from typing import Final

from proxy.state.records import Lease
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part

_FIND: Final = "SELECT name, holder, token, expires_at FROM leases WHERE name = ? AND expires_at > ?"
_RENEW: Final = "UPDATE leases SET expires_at = ? WHERE name = ? AND token = ? AND expires_at > ?"


class SqliteLeases(Part):
    """Implements `Leases`."""

    async def acquire_lease(self, name: str, holder: str, ttl_seconds: float) -> Lease | None:
        def work(tx: Tx) -> Lease | None:
            held = _held(tx, name)
            if held is not None:
                return held if held.holder == holder else None
            return _taken(tx, name, holder, tx.now + ttl_seconds)

        return await self._database.run(work)

    async def renew_lease(self, lease: Lease, ttl_seconds: float) -> Lease | None:
        def work(tx: Tx) -> Lease | None:
            until = tx.now + ttl_seconds
            renewed = tx.db.execute(_RENEW, (until, lease.name, lease.token, tx.now)).rowcount
            return Lease(lease.name, lease.holder, lease.token, until) if renewed else None

        return await self._database.run(work)

    async def release_lease(self, lease: Lease) -> None:
        def work(tx: Tx) -> None:
            tx.db.execute("DELETE FROM leases WHERE name = ? AND token = ?", (lease.name, lease.token))

        await self._database.run(work)

    async def lease_of(self, name: str) -> Lease | None:
        return await self._database.run(lambda tx: _held(tx, name))


def _held(tx: Tx, name: str) -> Lease | None:
    row = tx.db.execute(_FIND, (name, tx.now)).fetchone()
    return Lease(*row) if row is not None else None


def _taken(tx: Tx, name: str, holder: str, until: float) -> Lease:
    tx.db.execute("UPDATE facts SET value = value + 1 WHERE name = 'lease_token'")
    token = tx.db.execute("SELECT value FROM facts WHERE name = 'lease_token'").fetchone()[0]
    tx.db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (name, holder, token, until))
    return Lease(name, holder, token, until)
