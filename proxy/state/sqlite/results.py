"""Large results in SQL, bounded by owner and in all."""

from __future__ import annotations

import secrets

from proxy.state.records import Caps, Owner
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part


class SqliteResults(Part):
    """Implements `Results`."""

    async def put_result(self, owner: Owner, value: bytes, ttl_seconds: float) -> str | None:
        if len(value) > min(self._caps.owner_result_bytes, self._caps.result_bytes):
            return None
        ref = f"res_{secrets.token_hex(16)}"
        sealed = self._cipher.seal(value, "result", ref, owner.workspace_id, owner.account_id)

        def work(tx: Tx) -> None:
            tx.db.execute("DELETE FROM results WHERE expires_at <= ?", (tx.now,))
            _make_room(tx, owner, len(value), self._caps)
            tx.db.execute(
                "INSERT INTO results (ref, workspace_id, account_id, bytes, expires_at, body) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (ref, owner.workspace_id, owner.account_id, len(value), tx.now + ttl_seconds, sealed),
            )

        await self._database.run(work)
        return ref

    async def get_result(self, owner: Owner, ref: str) -> bytes | None:
        sealed = await self._database.run(lambda tx: _find(tx, owner, ref))
        if sealed is None:
            return None
        return self._cipher.open(sealed, "result", ref, owner.workspace_id, owner.account_id)


def _find(tx: Tx, owner: Owner, ref: str) -> bytes | None:
    row = tx.db.execute(
        "SELECT body FROM results WHERE ref = ? AND workspace_id = ? AND account_id = ? AND expires_at > ?",
        (ref, owner.workspace_id, owner.account_id, tx.now),
    ).fetchone()
    return row[0] if row is not None else None


def _make_room(tx: Tx, owner: Owner, added: int, caps: Caps) -> None:
    """The owner's own oldest give way first, then the oldest of all."""
    mine = "WHERE workspace_id = ? AND account_id = ?"
    _evict(tx, mine, (owner.workspace_id, owner.account_id), caps.owner_result_bytes - added)
    _evict(tx, "", (), caps.result_bytes - added)


def _evict(tx: Tx, which: str, arguments: tuple[str, ...], room: int) -> None:
    # `which` is one of the two texts above.
    held = tx.db.execute(f"SELECT coalesce(sum(bytes), 0) FROM results {which}", arguments).fetchone()[0]  # noqa: S608
    while held > room:
        oldest = tx.db.execute(f"SELECT id, bytes FROM results {which} ORDER BY id LIMIT 1", arguments)  # noqa: S608
        row, size = oldest.fetchone()
        tx.db.execute("DELETE FROM results WHERE id = ?", (row,))
        held -= size
