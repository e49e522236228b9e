"""What has expired is taken away, and nothing else."""

from __future__ import annotations

import sqlite3

from proxy.state import DecisionRecord, Entry, MemoryState, SessionRecord
from proxy.state.keys import Plain
from proxy.state.records import Caps
from proxy.state.sqlite.database import Chores, Inline, Tx
from proxy.state.sqlite.schema import migrate
from proxy.state.sqlite.store import SqliteState
from proxy.state.sqlite.sweep import sweep
from tests.proxy.state.stores import ALICE, Clock, record

TABLES = ("results", "executions", "decisions", "sessions", "leases", "entries", "journals", "chunks")


def counts(db: sqlite3.Connection) -> dict[str, int]:
    return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


async def fill(state: SqliteState, clock: Clock, name: str, seconds: float) -> None:
    """One of everything, for so long."""
    ends = clock.now + seconds
    await state.put_result(ALICE, b"[]", seconds)
    await state.save_execution(record(clock, name, expires_at=ends))
    await state.append_journal(name, ALICE, [b"1"])
    await state.decide(DecisionRecord(name, "i1", ALICE, "", ends, b""))
    session = SessionRecord(name, ALICE, b"", clock.now, clock.now)
    await state.open_session(session, ttl_seconds=seconds, owner_cap=10, total_cap=10)
    await state.acquire_lease(name, "a", seconds)
    await state.write_entry(Entry("token", "one", name, b"", expires_at=ends))


async def test_only_what_has_expired_is_taken_away() -> None:
    clock = Clock()
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    state = SqliteState(Inline(db, clock, Chores(lambda tx: None, 60)), Plain(), Caps(journal_ttl_seconds=10))
    await fill(state, clock, "e1", 10)
    clock.now += 5
    await fill(state, clock, "e2", 10)
    await state.write_entry(Entry("token", "one", "kept for good", b""))
    clock.now += 5
    sweep(Tx(db, clock.now))
    assert counts(db) == {**dict.fromkeys(TABLES, 1), "entries": 2}
    clock.now += 5
    sweep(Tx(db, clock.now))
    assert counts(db) == {**dict.fromkeys(TABLES, 0), "entries": 1}
    assert db.execute("SELECT value FROM facts WHERE name = 'journal_bytes'").fetchone() == (0,)
    db.close()


async def test_a_store_sweeps_by_itself() -> None:
    clock = Clock()
    state = MemoryState(clock=clock)
    await fill(state, clock, "e1", 10)
    clock.now += 4000
    await state.check()
    await fill(state, clock, "e1", 10)
    assert await state.read_journal("e1", ALICE) == (b"1",)
