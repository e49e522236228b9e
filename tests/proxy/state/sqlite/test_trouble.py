"""Every failure of SQLite names the file and what to do."""

from __future__ import annotations

import sqlite3

import pytest

from proxy.state.sqlite.trouble import unavailable


class Named(sqlite3.OperationalError):
    def __init__(self, name: str) -> None:
        super().__init__("what SQLite says")
        self.sqlite_errorname = name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_BUSY", "locked by another process"),
        ("SQLITE_BUSY_SNAPSHOT", "locked by another process"),
        ("SQLITE_FULL", "disk is full"),
        ("SQLITE_CORRUPT_VTAB", "recover"),
        ("SQLITE_NOTADB", "not a database"),
        ("SQLITE_READONLY_DIRECTORY", "may not be written"),
        ("SQLITE_CANTOPEN", "cannot be opened"),
        ("SQLITE_IOERR_WRITE", "network file system"),
        ("SQLITE_TOOBIG", "SQLITE_TOOBIG"),
    ],
)
def test_the_text_has_the_file_the_reason_and_the_way_out(name: str, words: str) -> None:
    text = str(unavailable(Named(name), "/var/lib/executor/state.db"))
    assert text.startswith("The state file /var/lib/executor/state.db ")
    assert words in text
    assert "what SQLite says" in text


def test_an_error_without_a_name_is_told_as_it_is() -> None:
    assert "never mind" in str(unavailable(sqlite3.ProgrammingError("never mind"), "x"))
