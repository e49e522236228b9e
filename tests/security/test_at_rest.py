"""T17: what a paused execution leaves in a store is unreadable without the key, and gone after its time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from integrations.base import Secret, Success
from policies import Rule
from proxy.executions import ExecutionLimits
from proxy.state import State, StateUnavailable
from proxy.state.keys import KeyRing
from proxy.state.redis import RedisOptions, open_redis
from proxy.state.sqlite import SqliteOptions, open_sqlite
from tests.proxy.executions.world import ALICE, BOB, TOKEN, shelf, world
from tests.proxy.state.servers import redis_server
from tests.proxy.state.stores import Clock

ASK = Rule("ask", "demo.org.main.things.create", "require_approval", reason="reason-canary")
CODE = """// code-canary
const found = await tools.demo.org.main.things.get({word: "argument-canary"});
console.log("log-canary"); emit({text: "emitted-canary"});
await tools.demo.org.main.things.create({word: "asked-canary"});
return "value-canary".repeat(1000)"""
CANARIES = [
    "code-canary",
    "argument-canary",
    "result-canary",
    "log-canary",
    "emitted-canary",
    "asked-canary",
    "reason-canary",
    "value-canary",
    TOKEN,
]
KEYS = KeyRing((Secret("the key of this year, long enough"),))
# The value is larger than what is shown, so it is stored as a result of its own.
LIMITS = replace(ExecutionLimits(), shown_result_bytes=100)


async def paused_and_ended(state: State) -> None:
    """One execution that waits, and one that has ended, in this store."""
    upstream = shelf(get=lambda _: Success("result-canary"))
    async with world(upstream, [ASK], LIMITS, state=state) as running:
        waits, ends = await running.run(CODE), await running.run(CODE)
        ended = await running.executions.resume(ends.execution_id, "accept", None, None, ALICE)
        stranger = await running.executions.resume(waits.execution_id, "accept", None, None, BOB)
        assert (waits.status, ended.status) == ("waiting_for_interaction", "completed")
        assert ended.result_ref is not None
        assert stranger.status == "execution_not_found"


def found_in(folder: Path) -> list[str]:
    """The canaries that somebody who has only the files can read, as they are or in UTF-16."""
    stored = b"".join(
        file.read_bytes() for file in folder.rglob("*") if file.is_file() and not file.is_socket()
    )
    assert len(stored) > 1000, "there is something to look at"
    return [one for one in CANARIES if one.encode() in stored or one.encode("utf-16-le") in stored]


async def test_t17_a_sqlite_file_shows_nothing_without_the_key(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state.db", KEYS, time.time, SqliteOptions()) as state:
        await paused_and_ended(state)
        assert found_in(tmp_path) == [], "with its write-ahead log"
    assert found_in(tmp_path) == []


async def test_t17_what_redis_writes_shows_nothing_without_the_key() -> None:
    with redis_server(persistent=True) as server:
        async with open_redis(Secret(server.url), KEYS, RedisOptions(), None) as state:
            await paused_and_ended(state)
        # Every command that ever wrote is in the append-only file.
        assert found_in(Path(server.url.removeprefix("unix://")).parent) == []


async def test_t17_with_another_key_nothing_is_read(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state.db", KEYS, time.time, SqliteOptions()) as state:
        await paused_and_ended(state)
    other = KeyRing((Secret("the key of somebody else, long enough"),))
    with pytest.raises(StateUnavailable, match="encrypted with other keys"):
        async with open_sqlite(tmp_path / "state.db", other, time.time, SqliteOptions()):
            pass


async def test_t17_after_its_time_nothing_is_left(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "state.db"
    limits = replace(LIMITS, execution_ttl_ms=3_600_000.0, result_ttl_seconds=3600.0)
    upstream = shelf(get=lambda _: Success("result-canary"))

    def milliseconds() -> float:
        return clock.now * 1000

    async with open_sqlite(file, KEYS, clock, SqliteOptions()) as state:
        async with world(upstream, [ASK], limits, state=state, clock=milliseconds) as running:
            first = await running.run(CODE)
            clock.now += limits.approval_timeout_ms / 1000 + 1
            late = await running.executions.resume(first.execution_id, "accept", None, None, ALICE)
            assert late.status == "execution_expired"
            assert not any(name.endswith("create") for name, _ in running.upstream.sent)
            second = await running.run(CODE)
            await running.executions.resume(second.execution_id, "accept", None, None, ALICE)
            clock.now += 2 * 86_400
            gone = await running.executions.resume(second.execution_id, "accept", None, None, ALICE)
            assert gone.status == "execution_not_found"
            await running.run("return 1")
    with closing(sqlite3.connect(file)) as db:
        for table in ("executions", "journals", "chunks", "decisions", "results", "entries", "leases"):
            (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == 0, table
