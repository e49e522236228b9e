"""Small documents in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy.state.records import Conflict, Entry
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part, Row, readable

MAX_LISTED: Final = 500

_COLUMNS: Final = "kind, workspace_id, key, value, version, expires_at"
_WRITE: Final = f"INSERT OR REPLACE INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
_DROP: Final = """DELETE FROM entries WHERE kind = ? AND workspace_id = ? AND key = ? AND version = ?
    AND (expires_at IS NULL OR expires_at > ?)"""
_LIST: Final = f"""SELECT {_COLUMNS} FROM entries
    WHERE kind = ? AND workspace_id = ? AND (expires_at IS NULL OR expires_at > ?)"""  # noqa: S608


class SqliteEntries(Part):
    """Implements `Entries`."""

    async def read_entry(self, kind: str, workspace_id: str, key: str) -> Entry | None:
        row = await self._database.run(lambda tx: _find(tx, kind, workspace_id, key))
        return self._entry(row) if row is not None else None

    async def write_entry(self, entry: Entry) -> Entry:
        written = replace(entry, version=entry.version + 1)
        sealed = self._cipher.seal(entry.value, *_names(entry))

        def work(tx: Tx) -> None:
            _check_version(tx, entry)
            tx.db.execute(
                _WRITE,
                (entry.kind, entry.workspace_id, entry.key, sealed, written.version, entry.expires_at),
            )

        await self._database.run(work, sync=True)
        return written

    async def drop_entry(self, entry: Entry) -> bool:
        arguments = (entry.kind, entry.workspace_id, entry.key, entry.version)
        return await self._database.run(
            lambda tx: tx.db.execute(_DROP, (*arguments, tx.now)).rowcount == 1, sync=True
        )

    async def list_entries(self, kind: str, workspace_id: str, limit: int = 500) -> tuple[Entry, ...]:
        rows = await self._database.run(
            lambda tx: tx.db.execute(
                f"{_LIST} ORDER BY key LIMIT ?", (kind, workspace_id, tx.now, max(1, min(limit, MAX_LISTED)))
            ).fetchall()
        )
        return readable(rows, self._entry)

    def _entry(self, row: Row) -> Entry:
        found = Entry(*row)
        return replace(found, value=self._cipher.open(found.value, *_names(found)))


def _find(tx: Tx, kind: str, workspace_id: str, key: str) -> Row | None:
    row: Row | None = tx.db.execute(f"{_LIST} AND key = ?", (kind, workspace_id, tx.now, key)).fetchone()
    return row


def _check_version(tx: Tx, entry: Entry) -> None:
    row = _find(tx, entry.kind, entry.workspace_id, entry.key)
    stored = row[4] if row is not None else 0
    if stored != entry.version:
        raise Conflict(
            f"The {entry.kind} `{entry.key}` is in version {stored}, and not {entry.version}, by now."
        )


def _names(entry: Entry) -> tuple[str, ...]:
    return (entry.kind, entry.workspace_id, entry.key)
