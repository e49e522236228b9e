"""The whole store over SQLite, and opening its file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from integrations.files import check_regular
from proxy.file_modes import is_open_to_others, refuse_open_to_others
from proxy.state.held import Held
from proxy.state.keys import Cipher, KeyRing, key_id
from proxy.state.publications import Hub
from proxy.state.records import Caps, StateError, StateUnavailable, StateUnreadable
from proxy.state.sqlite.database import Chores, Database, Threaded
from proxy.state.sqlite.decisions import SqliteDecisions
from proxy.state.sqlite.entries import SqliteEntries
from proxy.state.sqlite.executions import SqliteExecutions
from proxy.state.sqlite.journals import SqliteJournals
from proxy.state.sqlite.leases import SqliteLeases
from proxy.state.sqlite.results import SqliteResults
from proxy.state.sqlite.schema import migrate
from proxy.state.sqlite.sessions import SqliteSessions
from proxy.state.sqlite.sweep import sweep
from proxy.state.sqlite.trouble import unavailable
from proxy.telemetry import Logger

if TYPE_CHECKING:
    from limits.aio.storage import Storage

_log: Final = Logger("state")
MIN_SQLITE: Final = (3, 35, 0)
SWEEP_SECONDS: Final = 60.0
_BUSY_LOOK_SECONDS: Final = 0.02
_CAPS: Final = Caps(journals_bytes=2 * 1024**3)
_PROOF: Final = b"this key opens this file"


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """`busy_seconds`: how long a lock of another process is waited for. `limit_seconds` bounds any call.

    `max_bytes`: the file does not grow beyond this.
    """

    busy_seconds: float = 5.0
    limit_seconds: float = 15.0
    max_bytes: int = 4 * 1024**3
    caps: Caps = _CAPS


class SqliteState(
    SqliteJournals,
    SqliteResults,
    SqliteExecutions,
    SqliteDecisions,
    SqliteSessions,
    SqliteLeases,
    SqliteEntries,
    Hub,
):
    """Implements `State`. Messages stay within this process; so do counters."""

    def __init__(self, database: Database, cipher: Cipher, caps: Caps) -> None:
        Hub.__init__(self)
        SqliteJournals.__init__(self, database, cipher, caps, Held())

    @property
    def durable(self) -> bool:
        return True

    @property
    def counters(self) -> Storage | None:
        return None

    async def check(self) -> None:
        await self._database.run(
            lambda tx: tx.db.execute("INSERT OR REPLACE INTO facts VALUES ('probe', ?)", (tx.now,))
        )


@asynccontextmanager
async def open_sqlite(
    path: Path, keys: KeyRing, clock: Callable[[], float], options: SqliteOptions
) -> AsyncIterator[SqliteState]:
    """The store in this file, made if there is none (mode 0600). Raises `StateUnavailable`."""
    db = connect(path, keys, options)
    chores = Chores(sweep, SWEEP_SECONDS)
    database = Threaded(db, str(path), clock, limit_seconds=options.limit_seconds, chores=chores)
    try:
        yield SqliteState(database, keys, options.caps)
    finally:
        await database.close()


def connect(path: Path, keys: KeyRing, options: SqliteOptions) -> sqlite3.Connection:
    """A connection to a file that is sound, migrated, and opened by these keys. Raises `StateUnavailable`."""
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise StateUnavailable(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed.")
    unclean = _prepare(path)
    try:
        db = sqlite3.connect(
            path,
            timeout=options.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise unavailable(error, str(path)) from error
    try:
        if unclean:
            _check_soundness(db)
        _become_wal(db, options.busy_seconds)
        _set_up(db, options)
        migrate(db)
        _prove(db, keys)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise unavailable(error, str(path)) from error
        if isinstance(error, StateError):
            raise StateUnavailable(f"The state file {path} {error}") from error
        raise
    return db


def _prepare(path: Path) -> bool:
    """Make directory and file so that only we can read them. Whether the last use of the file ended unexpectedly."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives its two side files the mode of the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        check_regular(path)
        status = path.stat()
        if is_open_to_others(status):
            _close_to_others(path, status)
        log = path.with_name(path.name + "-wal")
        return log.exists() and log.stat().st_size > 0
    except OSError as error:
        raise StateUnavailable(
            f"The state file {path} cannot be opened: {error.strerror}. Name another one in `state.path`, or make "
            "its directory writable for this user."
        ) from error


def _close_to_others(path: Path, status: os.stat_result) -> None:
    """What is in the file is encrypted: one of ours is closed and said. Raises `OSError` for one of another user."""
    if status.st_uid != os.geteuid():
        refuse_open_to_others("it", status, "chmod 660 it, with a group that this process is in")
    path.chmod(0o600)
    _log.warning(
        "state_file_was_open",
        path=path,
        mode=f"{status.st_mode & 0o7777:04o}",
        detail="now others cannot read it",
    )


def _become_wal(db: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch the file to write-ahead logging, which needs it alone for a moment.

    Of two processes that open a new file together one is refused at once, whatever the connection's timeout: SQLite
    does not wait where it would have to turn a read lock into an exclusive one. So the waiting is done here.
    """
    end = time.monotonic() + busy_seconds
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= end:
                raise
        time.sleep(_BUSY_LOOK_SECONDS)


def _set_up(db: sqlite3.Connection, options: SqliteOptions) -> None:
    page = db.execute("PRAGMA page_size").fetchone()[0]
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute("PRAGMA secure_delete = FAST")
    db.execute(f"PRAGMA max_page_count = {max(1, options.max_bytes // page)}")


def _check_soundness(db: sqlite3.Connection) -> None:
    """Only after a crash: it reads the whole file. Raises `sqlite3.DatabaseError`."""
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StateUnavailable(
            f"is damaged ({verdict}). Nothing in it was changed. Stop the server and keep a copy; then restore a "
            "backup, or save what can be read with `sqlite3 FILE .recover`, or move the file away to start empty."
        )


def _prove(db: sqlite3.Connection, keys: KeyRing) -> None:
    """See that the keys open what is stored, before anything is written with other ones. Raises `StateUnreadable`."""
    row = db.execute("SELECT value FROM facts WHERE name = 'proof'").fetchone()
    if row is not None:
        try:
            keys.open(row[0], "proof")
        except StateUnreadable as error:
            raise StateUnreadable(
                f"was encrypted with other keys (the last one was {key_id(row[0]).hex()}). Add the old key as a "
                "further line after the new one in `state.encryption_key`, or move the file away to start empty."
            ) from error
    if row is None or key_id(row[0]) != keys.first_id:
        db.execute("INSERT OR REPLACE INTO facts VALUES ('proof', ?)", (keys.seal(_PROOF, "proof"),))
