"""Migrations: whole or not at all, once, and only of files that are ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from proxy.state.sqlite.executions import PAUSED_SUMMARY
from proxy.state.sqlite.schema import APPLICATION_ID, STEPS, migrate


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield db


def schema(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")]


def test_a_new_file_gets_all_steps_and_says_so(db: sqlite3.Connection) -> None:
    migrate(db)
    assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert not db.in_transaction


def test_a_second_time_changes_nothing(db: sqlite3.Connection) -> None:
    migrate(db)
    before = schema(db)
    migrate(db)
    assert schema(db) == before


def test_a_step_that_fails_leaves_the_file_as_it_was(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("CREATE TABLE sessions (something_else)")
    before = schema(db)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert schema(db) == before
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
    assert not db.in_transaction


def test_a_file_of_the_first_version_is_brought_along(db: sqlite3.Connection) -> None:
    db.executescript(STEPS[0])
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    migrate(db)
    migrated = schema(db)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new)
        assert schema(new) == migrated


def test_what_metrics_ask_for_is_in_an_index(db: sqlite3.Connection) -> None:
    """Bodies of executions may be large, and there may be thousands."""
    migrate(db)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {PAUSED_SUMMARY}", (0,))]
    assert plan == ["SEARCH executions USING COVERING INDEX executions_paused (status=? AND due_at>?)"]
