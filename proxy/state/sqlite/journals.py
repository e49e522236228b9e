"""Journals in SQL: one row per journal, one chunk per append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proxy.state.keys import Cipher
from proxy.state.packing import pack, unpack
from proxy.state.records import Caps, JournalFull, Lease, Owner
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part, Row, check_lease

_CHUNKS: Final = 2**20
_FIND: Final = (
    "SELECT id, chunks, bytes, expires_at, workspace_id, account_id FROM journals WHERE execution_id = ?"
)
# Journals without an unsettled execution are of use to nobody who could not run the code again.
_OLDEST: Final = """SELECT id, bytes FROM journals WHERE id <> ? AND execution_id NOT IN
    (SELECT execution_id FROM executions WHERE status <> 'settled') ORDER BY expires_at, id LIMIT 32"""


class SqliteJournals(Part):
    """Implements `Journals`."""

    async def append_journal(
        self,
        execution_id: str,
        owner: Owner,
        records: Sequence[bytes],
        *,
        lease: Lease | None = None,
        durable: bool = True,
    ) -> None:
        if not durable and self._held.add(execution_id, owner, records):
            return
        with self._held.writing(execution_id, owner) as held:

            def work(tx: Tx) -> None:
                check_lease(tx, lease)
                append(tx, execution_id, owner, (*held, *records), self._cipher, self._caps)

            await self._database.run(work)

    async def read_journal(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        self._held.settled(execution_id, owner)
        stored = await self._database.run(lambda tx: read(tx, execution_id, owner, self._cipher))
        return (*stored, *self._held.of(execution_id, owner))

    async def drop_journal(self, execution_id: str, owner: Owner, *, written: bool = True) -> None:
        if not self._held.drop(execution_id, owner) and not written:
            return
        await self._database.run(lambda tx: drop(tx, execution_id, owner))


def append(
    tx: Tx, execution_id: str, owner: Owner, records: Sequence[bytes], cipher: Cipher, caps: Caps
) -> None:
    """Add one chunk. Raises `JournalFull` before anything is written."""
    if not records:
        return
    added = sum(map(len, records))
    row = _live(tx, execution_id, owner)
    journal, chunks, size = (row[0], row[1], row[2]) if row is not None else (0, 0, 0)
    if size + added > caps.journal_bytes or chunks + 1 == _CHUNKS:
        raise JournalFull(f"The journal of {execution_id} is larger than {caps.journal_bytes} bytes.")
    _make_room(tx, journal, added, caps)
    if row is None:
        journal = _create(tx, execution_id, owner)
    sealed = cipher.seal(pack(records), *_names(execution_id, owner, chunks))
    tx.db.execute("INSERT INTO chunks (id, body) VALUES (?, ?)", (journal * _CHUNKS + chunks, sealed))
    tx.db.execute(
        "UPDATE journals SET chunks = ?, bytes = ?, expires_at = max(expires_at, ?) WHERE id = ?",
        (chunks + 1, size + added, tx.now + caps.journal_ttl_seconds, journal),
    )
    _count(tx, added)


def read(tx: Tx, execution_id: str, owner: Owner, cipher: Cipher) -> tuple[bytes, ...]:
    """All records. Raises `StateUnreadable`."""
    row = _live(tx, execution_id, owner)
    if row is None:
        return ()
    first = row[0] * _CHUNKS
    chunks = tx.db.execute(
        "SELECT id, body FROM chunks WHERE id >= ? AND id < ? ORDER BY id", (first, first + row[1])
    )
    return tuple(
        record
        for number, body in chunks
        for record in unpack(cipher.open(body, *_names(execution_id, owner, number - first)))
    )


def drop(tx: Tx, execution_id: str, owner: Owner) -> None:
    """Forget the journal, if it is this owner's."""
    row = tx.db.execute(_FIND, (execution_id,)).fetchone()
    if row is not None and Owner(*row[4:]) == owner:
        delete(tx, row[0], row[2])


def delete(tx: Tx, journal: int, size: int) -> None:
    """By its row id."""
    first = journal * _CHUNKS
    tx.db.execute("DELETE FROM chunks WHERE id >= ? AND id < ?", (first, first + _CHUNKS))
    tx.db.execute("DELETE FROM journals WHERE id = ?", (journal,))
    _count(tx, -size)


def prolong(tx: Tx, execution_id: str, owner: Owner, until: float) -> None:
    """Keep the journal at least until then."""
    tx.db.execute(
        "UPDATE journals SET expires_at = max(expires_at, ?) "
        "WHERE execution_id = ? AND workspace_id = ? AND account_id = ?",
        (until, execution_id, owner.workspace_id, owner.account_id),
    )


def _live(tx: Tx, execution_id: str, owner: Owner) -> Row | None:
    row: Row | None = tx.db.execute(_FIND, (execution_id,)).fetchone()
    if row is None or Owner(*row[4:]) != owner or row[3] <= tx.now:
        return None
    return row


def _create(tx: Tx, execution_id: str, owner: Owner) -> int:
    """A row of its own. What is left of an expired journal, or of a foreign one of the same name, gives way."""
    for journal, size in tx.db.execute(
        "SELECT id, bytes FROM journals WHERE execution_id = ?", (execution_id,)
    ).fetchall():
        delete(tx, journal, size)
    made = tx.db.execute(
        "INSERT INTO journals (execution_id, workspace_id, account_id, chunks, bytes, expires_at) "
        "VALUES (?, ?, ?, 0, 0, 0)",
        (execution_id, owner.workspace_id, owner.account_id),
    )
    assert made.lastrowid is not None
    return made.lastrowid


def _make_room(tx: Tx, journal: int, added: int, caps: Caps) -> None:
    """Over the cap the oldest journals go that no execution waits with. Raises `JournalFull`."""
    if caps.journals_bytes is None:
        return
    held = tx.db.execute("SELECT value FROM facts WHERE name = 'journal_bytes'").fetchone()[0]
    doomed: list[Row] = []
    excess = held + added - caps.journals_bytes
    if excess <= 0:
        return
    for row in tx.db.execute(_OLDEST, (journal,)):
        doomed.append(row)
        excess -= row[1]
        if excess <= 0:
            break
    if excess > 0:
        raise JournalFull(f"All journals together are larger than {caps.journals_bytes} bytes.")
    for old, size in doomed:
        delete(tx, old, size)


def _count(tx: Tx, added: int) -> None:
    tx.db.execute("UPDATE facts SET value = value + ? WHERE name = 'journal_bytes'", (added,))


def _names(execution_id: str, owner: Owner, chunk: int) -> tuple[str, ...]:
    return ("journal", execution_id, owner.workspace_id, owner.account_id, str(chunk))
