"""Handshake-era sessions in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy.state.records import Owner, SessionRecord, SessionsFull
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part, Row

_OPEN: Final = """INSERT OR REPLACE INTO sessions
    (session_id, workspace_id, account_id, created_at, seen_at, expires_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_OLDEST: Final = """SELECT session_id FROM sessions WHERE workspace_id = ? AND account_id = ? AND session_id <> ?
    ORDER BY seen_at DESC, session_id LIMIT -1 OFFSET ?"""
_FIND: Final = """SELECT session_id, workspace_id, account_id, created_at, seen_at, body FROM sessions
    WHERE session_id = ? AND expires_at > ?"""
_MINE: Final = "WHERE session_id = ? AND workspace_id = ? AND account_id = ? AND expires_at > ?"
_SAVE: Final = f"UPDATE sessions SET body = ? {_MINE}"  # noqa: S608
_CLOSE: Final = f"DELETE FROM sessions {_MINE}"  # noqa: S608


class SqliteSessions(Part):
    """Implements `Sessions`."""

    async def open_session(
        self, record: SessionRecord, *, ttl_seconds: float, owner_cap: int, total_cap: int
    ) -> tuple[str, ...]:
        owner = record.owner
        sealed = self._cipher.seal(record.body, *_names(record))
        names = (record.session_id, owner.workspace_id, owner.account_id)

        def work(tx: Tx) -> tuple[str, ...]:
            tx.db.execute("DELETE FROM sessions WHERE expires_at <= ?", (tx.now,))
            leaving = tx.db.execute(_OLDEST, (*names[1:], names[0], owner_cap - 1)).fetchall()
            others = "SELECT count(*) FROM sessions WHERE session_id <> ?"
            if tx.db.execute(others, names[:1]).fetchone()[0] - len(leaving) >= total_cap:
                raise SessionsFull(f"{total_cap} sessions are open already.")
            tx.db.executemany("DELETE FROM sessions WHERE session_id = ?", leaving)
            times = (record.created_at, tx.now, tx.now + ttl_seconds)
            tx.db.execute(_OPEN, (*names, *times, sealed))
            return tuple(row[0] for row in leaving)

        return await self._database.run(work)

    async def use_session(self, session_id: str, ttl_seconds: float) -> SessionRecord | None:
        row = await self._database.run(lambda tx: _used(tx, session_id, ttl_seconds))
        return self._session(row) if row is not None else None

    async def save_session(self, session_id: str, owner: Owner, body: bytes) -> bool:
        sealed = self._cipher.seal(body, "session", session_id, owner.workspace_id, owner.account_id)
        names = (session_id, owner.workspace_id, owner.account_id)
        return await self._database.run(
            lambda tx: tx.db.execute(_SAVE, (sealed, *names, tx.now)).rowcount == 1
        )

    async def close_session(self, session_id: str, owner: Owner) -> bool:
        names = (session_id, owner.workspace_id, owner.account_id)
        return await self._database.run(lambda tx: tx.db.execute(_CLOSE, (*names, tx.now)).rowcount == 1)

    def _session(self, row: Row) -> SessionRecord:
        session_id, workspace_id, account_id, created_at, seen_at, body = row
        found = SessionRecord(session_id, Owner(workspace_id, account_id), b"", created_at, seen_at)
        return replace(found, body=self._cipher.open(body, *_names(found)))


def _used(tx: Tx, session_id: str, ttl_seconds: float) -> Row | None:
    row: Row | None = tx.db.execute(_FIND, (session_id, tx.now)).fetchone()
    if row is not None and tx.now - row[4] >= ttl_seconds / 16:
        tx.db.execute(
            "UPDATE sessions SET seen_at = ?, expires_at = ? WHERE session_id = ?",
            (tx.now, tx.now + ttl_seconds, session_id),
        )
    return row


def _names(record: SessionRecord) -> tuple[str, ...]:
    return ("session", record.session_id, record.owner.workspace_id, record.owner.account_id)
