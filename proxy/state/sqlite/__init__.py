"""The store in one SQLite file: for one server, kept over restarts. The default."""

from proxy.state.sqlite.store import SqliteOptions, SqliteState, open_sqlite

__all__ = ["SqliteOptions", "SqliteState", "open_sqlite"]
