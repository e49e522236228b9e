"""What the parts of the SQLite store share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from proxy.state.held import Held
from proxy.state.keys import Cipher
from proxy.state.records import Caps, Lease, LeaseLost, StateUnreadable
from proxy.state.sqlite.database import Database, Tx
from proxy.telemetry import Logger

T = TypeVar("T")
Row = tuple[Any, ...]
_log: Final = Logger("state")


class Part:
    """One protocol over one database. All parts of a store share these four."""

    def __init__(self, database: Database, cipher: Cipher, caps: Caps, held: Held) -> None:
        self._database = database
        self._cipher = cipher
        self._caps = caps
        self._held = held


def check_lease(tx: Tx, lease: Lease | None) -> None:
    """Raises `LeaseLost` unless it is the one in force."""
    if lease is None:
        return
    held = tx.db.execute(
        "SELECT 1 FROM leases WHERE name = ? AND token = ? AND expires_at > ?",
        (lease.name, lease.token, tx.now),
    )
    if held.fetchone() is None:
        raise LeaseLost(f"The lease on {lease.name} is no longer held by {lease.holder}.")


def readable(rows: Iterable[Row], made: Callable[[Row], T]) -> tuple[T, ...]:
    """Those that some key opens; of the others the log tells."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(made(row))
        except StateUnreadable as error:
            _log.warning("left_out_of_list", detail=str(error))
    return tuple(found)
