"""One connection and the thread that owns it. Work is done in the order of asking, many pieces in one transaction.

Rules:
- An answer is given only after the transaction that it was part of has been committed.
- A piece of work judges first and writes then. A `StateError` it raises concerns itself alone; an error of SQLite
  undoes the whole transaction, and each piece is tried again in one of its own, so that only the guilty one fails.
- A commit survives the death of the process. It survives a power cut when one of its pieces asks for that (`sync`):
  the write-ahead log is then synced, with everything before it.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from proxy.state.records import StateError, StateUnavailable
from proxy.state.sqlite.trouble import unavailable
from proxy.telemetry import Logger

T = TypeVar("T")
Clock = Callable[[], float]

MAX_WAITING: Final = 4096
_BATCH: Final = 256
_OF_THE_FILE: Final = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_READONLY",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
)
_STOP: Final[None] = None
_log: Final = Logger("state")


@dataclass(frozen=True, slots=True)
class Tx:
    """What a piece of work is given: the connection, inside a transaction, and the time."""

    db: sqlite3.Connection
    now: float


Work = Callable[[Tx], T]


class Database(Protocol):
    """Where work is done. `sync`: it must survive a power cut."""

    async def run(self, work: Work[T], *, sync: bool = False) -> T:
        """What the work returned. Raises what it raised, and `StateUnavailable`."""
        ...


@dataclass(slots=True)
class _Piece:
    work: Work[Any]
    sync: bool
    done: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.done.done():
            return  # its task was cancelled or has given up waiting
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.value)


class Chores:
    """Work that nobody waits for, done now and then after other work."""

    def __init__(self, work: Work[None], every_seconds: float) -> None:
        self._work = work
        self._every_seconds = every_seconds
        self._done_at = 0.0

    def do_if_due(self, db: sqlite3.Connection, now: float) -> None:
        """Do it when it was last done long enough ago. What fails is left for the next time."""
        if abs(now - self._done_at) < self._every_seconds:
            return
        self._done_at = now
        try:
            with _transaction(db):
                self._work(Tx(db, now))
        except sqlite3.Error as error:
            _log.warning("expired_state_kept", error=str(error))


class Threaded:
    """Implements `Database` in a thread of its own. Made in the loop that uses it; `close` ends the thread.

    `limit_seconds` bounds every call: waiting, locks and disk together.
    """

    def __init__(
        self, db: sqlite3.Connection, path: str, clock: Clock, *, limit_seconds: float, chores: Chores
    ) -> None:
        self._db = db
        self._path = path
        self._clock = clock
        self._chores = chores
        self._limit_seconds = limit_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.Queue[_Piece | None] = queue.Queue(MAX_WAITING)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="state", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T], *, sync: bool = False) -> T:
        if self._closed:
            raise StateUnavailable(f"The state file {self._path} is closed: the server is stopping.")
        piece = _Piece(work, sync, self._loop.create_future())
        try:
            self._waiting.put_nowait(piece)
        except queue.Full:
            raise StateUnavailable(
                f"The state file {self._path} is too slow: too much waits for it."
            ) from None
        try:
            async with asyncio.timeout(self._limit_seconds):
                value: T = await piece.done
                return value
        except TimeoutError:
            raise StateUnavailable(
                f"The state file {self._path} did not answer for {self._limit_seconds:g} seconds."
            ) from None

    async def close(self) -> None:
        """Do what was asked so far, then end the thread and close the file."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._waiting.put, _STOP, timeout=self._limit_seconds)
            await asyncio.to_thread(self._thread.join, self._limit_seconds)

    # ---- in the thread ------------------------------------------------------------------------------------------
    def _serve(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._take()
            if batch:
                self._do(batch)
                self._chores.do_if_due(self._db, self._clock())
                self._loop.call_soon_threadsafe(_settle, batch)
        self._db.close()

    def _take(self) -> tuple[list[_Piece], bool]:
        """Wait for work, then take all that is there."""
        piece = self._waiting.get()
        batch: list[_Piece] = []
        while piece is not None:
            batch.append(piece)
            if len(batch) == _BATCH:
                return batch, True
            try:
                piece = self._waiting.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _do(self, batch: list[_Piece]) -> None:
        try:
            commit(self._db, batch, self._clock())
        # A boundary: whatever a piece of work raises, the thread goes on for the others.
        except Exception as error:
            if len(batch) == 1 or _is_everybodys(error):
                for piece in batch:
                    piece.error = (
                        unavailable(error, self._path) if isinstance(error, sqlite3.Error) else error
                    )
                return
            for piece in batch:
                self._do([piece])


class Inline:
    """Implements `Database` at once and in the caller: for a database in memory."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, chores: Chores) -> None:
        self._db = db
        self._clock = clock
        self._chores = chores

    async def run(self, work: Work[T], *, sync: bool = False) -> T:
        with _transaction(self._db):
            value = work(Tx(self._db, self._clock()))
        self._chores.do_if_due(self._db, self._clock())
        return value


def commit(db: sqlite3.Connection, batch: Sequence[_Piece], now: float) -> None:
    """Do all of it in one transaction. Raises `sqlite3.Error` when that failed; nothing was written then."""
    # 1 is NORMAL, 2 is FULL (PRAGMA synchronous); it cannot be changed inside a transaction.
    db.execute("PRAGMA synchronous = 2" if any(piece.sync for piece in batch) else "PRAGMA synchronous = 1")
    with _transaction(db):
        for piece in batch:
            _do_one(piece, Tx(db, now))


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk ends the transaction by itself; then there is nothing to roll back.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _do_one(piece: _Piece, tx: Tx) -> None:
    piece.error = None
    try:
        piece.value = piece.work(tx)
    except StateError as error:
        piece.error = error


def _is_everybodys(error: Exception) -> bool:
    """Locked, damaged, failing: trying the pieces one by one would only take longer to say so."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(_OF_THE_FILE)


def _settle(batch: Sequence[_Piece]) -> None:
    for piece in batch:
        piece.settle()
