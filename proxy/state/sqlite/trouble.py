"""What went wrong with the file, in words that say what to do."""

from __future__ import annotations

import sqlite3
from typing import Final

from proxy.state.records import StateUnavailable

_ADVICE: Final = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        "is locked by another process. One file is for one server: stop the other one, or use `state.backend: redis` "
        "for several",
    ),
    (
        ("SQLITE_FULL",),
        "cannot grow: the disk is full, or the size that the file may have is reached. What was stored before is "
        "kept; free some space",
    ),
    (
        ("SQLITE_CORRUPT", "SQLITE_NOTADB"),
        "is damaged or not a database. Nothing in it was changed. Stop the server and keep a copy; then restore a "
        "backup, or save what can be read with `sqlite3 FILE .recover`, or move the file away to start empty: the "
        "sessions and paused executions in it are then gone",
    ),
    (("SQLITE_READONLY", "SQLITE_PERM"), "may not be written by this user. Change its owner or its mode"),
    (
        ("SQLITE_CANTOPEN",),
        "cannot be opened. Its directory must exist on a local disk and be writable by this user",
    ),
    (
        ("SQLITE_IOERR", "SQLITE_PROTOCOL"),
        "cannot be read or written: the disk fails or is full, or it is a network file system, which this store "
        "cannot use",
    ),
)


def unavailable(error: sqlite3.Error, path: str) -> StateUnavailable:
    """The same failure as a `StateUnavailable` that names the file, the reason and the way out."""
    name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
    for codes, advice in _ADVICE:
        if name.startswith(codes):
            return StateUnavailable(f"The state file {path} {advice}. ({error})")
    return StateUnavailable(f"The state file {path} cannot be used: {error} ({name}).")
