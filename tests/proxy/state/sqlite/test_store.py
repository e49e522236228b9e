"""The file: crashes, locks, damage, a full disk, other programs' files, keys, modes, and the contract of the whole."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.state import Entry, StateUnavailable, StateUnreadable
from proxy.state.keys import KeyRing
from proxy.state.sqlite import SqliteOptions, open_sqlite
from proxy.state.sqlite.store import connect
from tests.proxy.state.contract.whole import WholeContract
from tests.proxy.state.stores import ALICE, NEW_KEY, OLD_KEY, Clock, SqliteStores, record

ROOT = Path(__file__).parents[4]


@pytest.fixture
def path(stores: SqliteStores) -> Path:
    return stores.path


def put(path: Path, content: bytes) -> None:
    """As another program would, readable by everybody."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


def content(path: Path) -> bytes:
    return path.read_bytes()


def damage(path: Path, start: int, end: int | None = None) -> bytes:
    """Overwrite a part of the file; what the file holds then."""
    damaged = bytearray(path.read_bytes())
    end = end or len(damaged)
    damaged[start:end] = bytes([0xA5]) * (end - start)
    path.write_bytes(damaged)
    return bytes(damaged)


@asynccontextmanager
async def writer(path: Path, what: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process, see `writer.py`; it is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proxy.state.sqlite.writer", str(path), what,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


class TestSqliteWhole(WholeContract):
    pass


async def test_a_process_killed_in_the_middle_loses_nothing_it_acknowledged(
    stores: SqliteStores, path: Path
) -> None:
    async with writer(path, "append") as process:
        heard = [await said(process) for _ in range(100)]
        process.kill()
        await process.wait()
        assert process.stdout is not None
        heard += (await process.stdout.read()).decode().split()
    # The time of the store is the test's from here on, and earlier than the writer's would be.
    stores.clock.now = 1_700_000_000.0
    async with stores.open() as state:
        records = await state.read_journal("e1", ALICE)
        numbers = [int(record) for record in records[::2]]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= len(heard)
        await state.append_journal("e1", ALICE, [b"goes on"])


async def test_two_processes_share_a_file(stores: SqliteStores, path: Path) -> None:
    async with writer(path, "count") as first, writer(path, "count") as second:
        assert await first.wait() == 0
        assert await second.wait() == 0
    async with stores.open() as state:
        entry = await state.read_entry("count", "one", "n")
        assert entry is not None
        assert entry.value == b"100"
        assert entry.version == 100


async def test_several_may_open_a_new_file_together(tmp_path: Path) -> None:
    def opened(path: Path, together: threading.Barrier) -> None:
        together.wait(30)
        connect(path, KeyRing([OLD_KEY]), SqliteOptions(busy_seconds=30)).close()

    for number in range(20):
        together = threading.Barrier(4)
        path = tmp_path / f"{number}.db"
        await asyncio.gather(*(asyncio.to_thread(opened, path, together) for _ in range(4)))


async def test_a_locked_file_is_told_and_serves_again_when_it_is_free(
    stores: SqliteStores, path: Path
) -> None:
    options = SqliteOptions(busy_seconds=0.05)
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [b"1"])
    async with writer(path, "lock") as other:
        assert await said(other) == "locked"
        with pytest.raises(StateUnavailable, match=r"state\.db is locked by another process.*redis"):
            async with open_sqlite(path, KeyRing([OLD_KEY]), stores.clock, options):
                pass
    async with stores.open() as state:
        assert await state.read_journal("e1", ALICE) == (b"1",)


async def test_a_lock_that_comes_later_fails_calls_and_not_the_store(
    stores: SqliteStores, path: Path
) -> None:
    options = SqliteOptions(busy_seconds=0.05)
    async with open_sqlite(path, KeyRing([OLD_KEY]), stores.clock, options) as state:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StateUnavailable, match="locked"):
                await state.append_journal("e1", ALICE, [b"1"])
            with pytest.raises(StateUnavailable, match="locked"):
                await state.check()
        assert await state.read_journal("e1", ALICE) == ()
        await state.append_journal("e1", ALICE, [b"2"])
        assert await state.read_journal("e1", ALICE) == (b"2",)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(stores: SqliteStores, path: Path) -> None:
    before = b"something else entirely, and longer than a header of a database would be" * 50
    put(path, before)
    with pytest.raises(StateUnavailable, match=r"state\.db is damaged or not a database.*restore"):
        async with stores.open():
            pass
    assert content(path) == before
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


async def test_a_damaged_file_is_refused_after_a_crash_and_left_alone(
    stores: SqliteStores, path: Path
) -> None:
    async with stores.open() as state:
        for number in range(50):
            await state.append_journal(f"e{number}", ALICE, [bytes(3000)])
    damaged = damage(path, 4096, 20_000)
    put(path.with_name("state.db-wal"), b"left over by a crash")
    with pytest.raises(StateUnavailable, match="damaged"):
        async with stores.open():
            pass
    assert content(path) == damaged


async def test_damage_met_later_fails_calls_with_the_way_out(stores: SqliteStores, path: Path) -> None:
    async with stores.open() as state:
        for number in range(50):
            await state.append_journal(f"e{number}", ALICE, [bytes(3000)])
    damage(path, 5 * 4096)
    async with stores.open() as state:
        reads = (state.read_journal(f"e{number}", ALICE) for number in range(50))
        with pytest.raises(StateUnavailable, match=r"damaged.*\.recover"):
            await asyncio.gather(*reads)


async def test_a_full_disk_refuses_writes_and_keeps_the_rest(stores: SqliteStores, path: Path) -> None:
    options = SqliteOptions(max_bytes=256 * 1024)
    async with open_sqlite(path, KeyRing([OLD_KEY]), stores.clock, options) as state:
        await state.append_journal("e1", ALICE, [b"kept"])
        with pytest.raises(StateUnavailable, match="cannot grow"):
            await state.append_journal("e1", ALICE, [bytes(300 * 1024)])
        assert await state.read_journal("e1", ALICE) == (b"kept",)
        await state.append_journal("e1", ALICE, [b"small"])
        assert await state.read_journal("e1", ALICE) == (b"kept", b"small")


async def test_of_writes_at_once_only_the_one_that_does_not_fit_fails(
    stores: SqliteStores, path: Path
) -> None:
    options = SqliteOptions(max_bytes=256 * 1024)
    async with open_sqlite(path, KeyRing([OLD_KEY]), stores.clock, options) as state:
        sizes = [10, 300 * 1024, 10]
        appends = (
            state.append_journal(f"e{number}", ALICE, [bytes(size)]) for number, size in enumerate(sizes)
        )
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), StateUnavailable, type(None)]


async def test_another_programs_database_is_refused(stores: SqliteStores, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StateUnavailable, match="another program"):
        async with stores.open():
            pass


async def test_a_newer_file_is_refused(stores: SqliteStores, path: Path) -> None:
    async with stores.open():
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateUnavailable, match="newer version"):
        async with stores.open():
            pass


async def test_old_records_are_read_after_a_rotation_and_rewritten_with_the_new_key(
    stores: SqliteStores, clock: Clock
) -> None:
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [b"1"])
        saved = await state.save_execution(record(clock, "e1", body=b"old"))
        left = await state.write_entry(Entry("token", "one", "k", b"old"))
    stores.keys = (NEW_KEY, OLD_KEY)
    async with stores.open() as state:
        assert await state.read_journal("e1", ALICE) == (b"1",)
        assert await state.find_execution("e1", "one") == saved
        assert await state.read_entry("token", "one", "k") == left
        rewritten = await state.save_execution(replace(saved, body=b"new"))
    stores.keys = (NEW_KEY,)
    async with stores.open() as state:
        assert await state.find_execution("e1", "one") == rewritten
        for read in (state.read_journal("e1", ALICE), state.read_entry("token", "one", "k")):
            with pytest.raises(StateUnreadable, match="Add the old key"):
                await read
        assert await state.list_entries("token", "one") == ()


async def test_other_keys_are_noticed_before_anything_is_written(stores: SqliteStores) -> None:
    async with stores.open():
        pass
    stores.keys = (NEW_KEY,)
    with pytest.raises(StateUnavailable, match="encrypted with other keys"):
        async with stores.open():
            pass


async def test_nothing_of_value_is_readable_in_the_file(
    stores: SqliteStores, clock: Clock, path: Path
) -> None:
    """T17: journals, records, results and entries are encrypted at rest."""
    canary = b"canary-4711-canary"
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [canary])
        await state.save_execution(record(clock, "e1", body=canary))
        await state.put_result(ALICE, canary, 60)
        await state.write_entry(Entry("token", "one", "k", canary))
        for file in path.parent.iterdir():
            assert canary not in content(file)
    assert canary not in content(path)


async def test_records_swapped_in_the_file_do_not_open(
    stores: SqliteStores, clock: Clock, path: Path
) -> None:
    async with stores.open() as state:
        for name in ("e1", "e2"):
            await state.save_execution(record(clock, name, body=name.encode()))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE executions SET body = (SELECT body FROM executions WHERE execution_id = 'e2')")
    async with stores.open() as state:
        with pytest.raises(StateUnreadable):
            await state.find_execution("e1", "one")


async def test_the_file_is_ours_only(stores: SqliteStores, path: Path) -> None:
    put(path, b"")
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [b"1"])
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("name", [".", "file/state.db"])
async def test_a_place_that_cannot_hold_a_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match=r"state\.path"):
        async with SqliteStores(tmp_path / name).open():
            pass


async def test_a_closed_store_says_so(stores: SqliteStores) -> None:
    async with stores.open() as state:
        pass
    with pytest.raises(StateUnavailable, match="closed"):
        await state.check()


async def test_counters_stay_in_the_process(stores: SqliteStores) -> None:
    async with stores.open() as state:
        assert state.counters is None


async def test_the_check_is_a_write(stores: SqliteStores, path: Path) -> None:
    async with open_sqlite(path, KeyRing([OLD_KEY]), stores.clock, SqliteOptions()) as state:
        await state.check()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            assert other.execute("SELECT value FROM facts WHERE name = 'probe'").fetchone() is not None
            refusing = (
                "CREATE TRIGGER full BEFORE INSERT ON facts BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
            )
            other.execute(refusing)
            assert await state.read_journal("e1", ALICE) == ()
            with pytest.raises(StateUnavailable, match="disk is full"):
                await state.check()
            other.execute("DROP TRIGGER full")
        await state.check()
