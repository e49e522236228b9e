"""The tables, and how older files are brought to them. The file's `user_version` counts the steps it has seen.

A step is never changed once it was released; a new one is added at the end.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from proxy.state.records import StateUnavailable

APPLICATION_ID: Final = 0x45584543
"""`EXEC`: marks the file as ours (PRAGMA application_id)."""

_FIRST: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('lease_token', 0), ('journal_bytes', 0);

CREATE TABLE journals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    expires_at REAL NOT NULL
);
-- Chunk n of journal j has the id j * 2**20 + n: one key, and a journal's chunks lie beside each other.
CREATE TABLE chunks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ref TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX results_by_owner ON results (workspace_id, account_id, bytes);

CREATE TABLE executions (
    execution_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    body BLOB NOT NULL,
    session_id TEXT,
    due_at REAL,
    pending INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX executions_by_workspace ON executions (workspace_id, created_at, execution_id);
CREATE INDEX executions_by_owner ON executions (workspace_id, account_id, created_at, execution_id);
CREATE INDEX executions_unsettled ON executions (status, workspace_id, account_id) WHERE status <> 'settled';

CREATE TABLE decisions (
    execution_id TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    binding TEXT NOT NULL,
    expires_at REAL NOT NULL,
    used INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (execution_id, interaction_id)
);

CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX sessions_by_owner ON sessions (workspace_id, account_id, seen_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE leases (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE entries (
    kind TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at REAL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, workspace_id, key)
);
"""

_PAUSED_BY_DUE: Final = (
    "CREATE INDEX executions_paused ON executions (status, due_at, workspace_id) WHERE status = 'paused';"
)

STEPS: Final[tuple[str, ...]] = (_FIRST, _PAUSED_BY_DUE)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to this version, whole or not at all. Raises `StateUnavailable`, `sqlite3.Error`."""
    # Two processes that start at once take turns here; the second one finds nothing left to do.
    db.execute("BEGIN EXCLUSIVE")
    try:
        _migrate(db)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _migrate(db: sqlite3.Connection) -> None:
    ours = _pragma(db, "application_id") == APPLICATION_ID
    if not ours and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StateUnavailable("is the database of another program. Name another file in `state.path`.")
    seen = _pragma(db, "user_version") if ours else 0
    if seen > len(STEPS):
        raise StateUnavailable(
            f"was written by a newer version of this program (schema {seen}, this one knows {len(STEPS)}). "
            "Run that version, or name another file in `state.path`."
        )
    for step in STEPS[seen:]:
        for statement in _statements(step):
            db.execute(statement)
    # PRAGMA takes no parameters.
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {len(STEPS)}")


def _statements(script: str) -> list[str]:
    """`executescript` would commit our transaction first, so the statements are run one by one."""
    found: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
