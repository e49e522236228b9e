"""The index of executions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from proxy.state.keys import Cipher
from proxy.state.records import (
    Conflict,
    ExecutionQuery,
    ExecutionRecord,
    Lease,
    Owner,
    PausedSummary,
    PendingFull,
)
from proxy.state.sqlite import journals
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part, Row, check_lease, readable

MAX_LISTED: Final = 500

_COLUMNS: Final = (
    "execution_id, workspace_id, account_id, status, created_at, expires_at, body, session_id, due_at, pending, "
    "version"
)
_SAVE: Final = f"INSERT OR REPLACE INTO executions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_FIND: Final = f"SELECT {_COLUMNS} FROM executions WHERE execution_id = ? AND expires_at > ?"  # noqa: S608
_PENDING: Final = """SELECT coalesce(sum(pending), 0) FROM executions WHERE status = 'paused' AND workspace_id = ?
    AND account_id = ? AND execution_id <> ? AND (due_at IS NULL OR due_at > ?) AND expires_at > ?"""
_UNATTENDED: Final = f"""SELECT {_COLUMNS} FROM executions AS e WHERE expires_at > :now AND (
        (status = 'paused' AND due_at <= :now)
        OR (status = 'running' AND NOT EXISTS
            (SELECT 1 FROM leases WHERE name = e.execution_id AND leases.expires_at > :now)))
    ORDER BY created_at, execution_id LIMIT :limit"""  # noqa: S608
# The index holds all that is asked for: bodies, which may be large, are not read. Beside `min` SQLite takes the other
# columns from the row that has the least (https://sqlite.org/lang_select.html, bare columns in an aggregate query).
PAUSED_SUMMARY: Final = """SELECT count(*), min(due_at), workspace_id FROM executions
    WHERE status = 'paused' AND due_at > ?"""


class SqliteExecutions(Part):
    """Implements `ExecutionRecords`."""

    async def save_execution(
        self, record: ExecutionRecord, *, lease: Lease | None = None, pending_cap: int | None = None
    ) -> ExecutionRecord:
        if record.status == "settled":
            return await self._save(record, (), lease, None)
        with self._held.writing(record.execution_id, record.owner) as held:
            return await self._save(record, held, lease, pending_cap)

    async def _save(
        self, record: ExecutionRecord, held: Sequence[bytes], lease: Lease | None, pending_cap: int | None
    ) -> ExecutionRecord:
        saved = replace(record, version=record.version + 1)

        def work(tx: Tx) -> None:
            check_lease(tx, lease)
            _check_version(tx, record)
            _check_pending(tx, record, pending_cap)
            journals.append(tx, record.execution_id, record.owner, held, self._cipher, self._caps)
            journals.prolong(tx, record.execution_id, record.owner, record.expires_at)
            tx.db.execute(_SAVE, _row(saved, self._cipher))

        await self._database.run(work, sync=record.status != "running")
        return saved

    async def find_execution(self, execution_id: str, workspace_id: str) -> ExecutionRecord | None:
        row = await self._database.run(lambda tx: find(tx, execution_id))
        return self._record(row) if row is not None and row[1] == workspace_id else None

    async def list_executions(self, query: ExecutionQuery) -> tuple[ExecutionRecord, ...]:
        rows = await self._database.run(lambda tx: _list(tx, query))
        return readable(rows, self._record)

    async def unattended(self, limit: int = 100) -> tuple[ExecutionRecord, ...]:
        rows = await self._database.run(
            lambda tx: tx.db.execute(
                _UNATTENDED, {"now": tx.now, "limit": max(1, min(limit, MAX_LISTED))}
            ).fetchall()
        )
        return readable(rows, self._record)

    async def paused_summary(self) -> PausedSummary:
        return PausedSummary(
            *await self._database.run(lambda tx: tx.db.execute(PAUSED_SUMMARY, (tx.now,)).fetchone())
        )

    def _record(self, row: Row) -> ExecutionRecord:
        execution_id, workspace_id, account_id, status, created_at, expires_at, body, *rest = row
        session_id, due_at, pending, version = rest
        return ExecutionRecord(
            execution_id=execution_id,
            owner=Owner(workspace_id, account_id),
            status=status,
            created_at=created_at,
            expires_at=expires_at,
            body=self._cipher.open(body, "execution", execution_id, workspace_id, account_id),
            session_id=session_id,
            due_at=due_at,
            pending=pending,
            version=version,
        )


def find(tx: Tx, execution_id: str) -> Row | None:
    """The row, if it has not expired: id, workspace, account, status, and what follows in `_COLUMNS`."""
    row: Row | None = tx.db.execute(_FIND, (execution_id, tx.now)).fetchone()
    return row


def _row(record: ExecutionRecord, cipher: Cipher) -> Row:
    names = (record.execution_id, record.owner.workspace_id, record.owner.account_id)
    return (
        *names,
        record.status,
        record.created_at,
        record.expires_at,
        cipher.seal(record.body, "execution", *names),
        record.session_id,
        record.due_at,
        record.pending,
        record.version,
    )


def _check_version(tx: Tx, record: ExecutionRecord) -> None:
    row = find(tx, record.execution_id)
    stored = row[-1] if row is not None else 0
    if stored != record.version or (row is not None and Owner(row[1], row[2]) != record.owner):
        raise Conflict(f"{record.execution_id} is in version {stored}, and not {record.version}, by now.")


def _check_pending(tx: Tx, record: ExecutionRecord, cap: int | None) -> None:
    if cap is None or record.status != "paused":
        return
    owner = record.owner
    arguments = (owner.workspace_id, owner.account_id, record.execution_id, tx.now, tx.now)
    others = tx.db.execute(_PENDING, arguments).fetchone()[0]
    if others + record.pending > cap:
        raise PendingFull(f"{others} decisions of this caller are pending already; at most {cap} may be.")


def _list(tx: Tx, query: ExecutionQuery) -> list[Row]:
    conditions = ["workspace_id = ?", "expires_at > ?"]
    arguments: list[Any] = [query.workspace_id, tx.now]
    for column in ("account_id", "session_id", "status"):
        wanted = getattr(query, column)
        if wanted is not None:
            conditions.append(f"{column} = ?")
            arguments.append(wanted)
    if query.before is not None:
        conditions.append("(created_at, execution_id) < (?, ?)")
        arguments += (query.before.created_at, query.before.execution_id)
    sql = (
        f"SELECT {_COLUMNS} FROM executions WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY created_at DESC, execution_id DESC LIMIT ?"
    )
    return tx.db.execute(sql, (*arguments, max(1, min(query.limit, MAX_LISTED)))).fetchall()
