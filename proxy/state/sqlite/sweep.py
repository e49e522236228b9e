"""Taking away what has expired. Reading never depends on it: expired rows are not found either way."""

from __future__ import annotations

from typing import Final

from proxy.state.sqlite import journals
from proxy.state.sqlite.database import Tx

_TABLES: Final = ("results", "executions", "decisions", "sessions", "leases", "entries")
_AT_MOST: Final = 1000


def sweep(tx: Tx) -> None:
    """At most 1,000 journals at a time, so that no caller waits long; everything else in one statement a table."""
    for table in _TABLES:
        tx.db.execute(f"DELETE FROM {table} WHERE expires_at <= ?", (tx.now,))  # noqa: S608
    doomed = "SELECT id, bytes FROM journals WHERE expires_at <= ? LIMIT ?"
    for journal, size in tx.db.execute(doomed, (tx.now, _AT_MOST)).fetchall():
        journals.delete(tx, journal, size)
