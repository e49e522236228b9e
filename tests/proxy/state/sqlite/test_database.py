"""The thread: one transaction for many pieces, and each piece's failure its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from proxy.state import Conflict, StateUnavailable
from proxy.state.sqlite.database import MAX_WAITING, Chores, Inline, Threaded, Tx
from tests.proxy.state.stores import Clock


def idle(tx: Tx) -> None:
    """No chore."""


@asynccontextmanager
async def threaded(limit_seconds: float = 10) -> AsyncIterator[Threaded]:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("CREATE TABLE t (x UNIQUE)")
    database = Threaded(db, "the file", Clock(), limit_seconds=limit_seconds, chores=Chores(idle, 60))
    try:
        yield database
    finally:
        await database.close()


class Gate:
    """A piece of work that keeps the thread busy until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, tx: Tx) -> None:
        self.entered.set()
        assert self.opened.wait(60)


def insert(value: int) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        tx.db.execute("INSERT INTO t VALUES (?)", (value,))

    return work


def values(tx: Tx) -> list[int]:
    return [row[0] for row in tx.db.execute("SELECT x FROM t ORDER BY x")]


def refuse(tx: Tx) -> None:
    raise Conflict("not this one")


def stumble(tx: Tx) -> None:
    tx.db.execute("INSERT INTO t VALUES (99)")
    raise KeyError("a defect")


async def test_work_is_done_in_the_order_of_asking() -> None:
    async with threaded() as database, asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(database.run(insert(number)))
        read = group.create_task(database.run(values))
    assert read.result() == list(range(50))


async def test_in_one_transaction_each_failure_is_its_own() -> None:
    gate = Gate()
    async with threaded() as database:
        async with asyncio.TaskGroup() as group:
            group.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            pieces = [insert(1), refuse, insert(1), stumble, insert(2)]
            tried = [group.create_task(outcome(database, piece)) for piece in pieces]
            await asyncio.sleep(0)
            gate.opened.set()
        assert [task.result() for task in tried] == [None, Conflict, StateUnavailable, KeyError, None]
        assert await database.run(values) == [1, 2]


async def outcome(database: Threaded, piece: Callable[[Tx], None]) -> type[Exception] | None:
    try:
        await database.run(piece)
    except Exception as error:
        return type(error)
    return None


async def test_a_caller_that_went_away_does_not_disturb_the_others() -> None:
    gate = Gate()
    async with threaded() as database:
        async with asyncio.TaskGroup() as group:
            busy = group.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            gone = group.create_task(database.run(insert(1)))
            await asyncio.sleep(0)
            gone.cancel()
            busy.cancel()
            gate.opened.set()
        assert await database.run(values) == [1]


async def test_every_call_has_its_limit() -> None:
    gate = Gate()
    async with threaded(limit_seconds=0.05) as database:
        with pytest.raises(StateUnavailable, match=r"the file did not answer for 0\.05 seconds"):
            await database.run(gate)
        gate.opened.set()


async def test_more_than_may_wait_is_refused_at_once() -> None:
    gate = Gate()
    async with threaded() as database, asyncio.TaskGroup() as group:
        group.create_task(database.run(gate))
        await asyncio.to_thread(gate.entered.wait, 10)
        for _ in range(MAX_WAITING):
            group.create_task(database.run(values))
        await asyncio.sleep(0)
        with pytest.raises(StateUnavailable, match="too much waits"):
            await database.run(values)
        gate.opened.set()


async def test_closing_does_what_was_asked_before() -> None:
    gate = Gate()
    async with threaded() as database, asyncio.TaskGroup() as group:
        group.create_task(database.run(gate))
        await asyncio.to_thread(gate.entered.wait, 10)
        asked = group.create_task(database.run(values))
        await asyncio.sleep(0)
        closing = group.create_task(database.close())
        await asyncio.sleep(0)
        gate.opened.set()
        await closing
    assert asked.result() == []
    with pytest.raises(StateUnavailable, match="closed"):
        await database.run(values)


def test_chores_are_done_when_due_and_their_failure_is_nobodys() -> None:
    clock, done = Clock(), list[float]()

    def chore(tx: Tx) -> None:
        done.append(tx.now)
        if len(done) == 2:
            tx.db.execute("nonsense")

    db = sqlite3.connect(":memory:", isolation_level=None)
    chores = Chores(chore, 60)
    for step in (0, 59, 1, 60, 60):
        clock.now += step
        chores.do_if_due(db, clock.now)
    db.close()
    began = Clock().now
    assert done == [began, began + 60, began + 120, began + 180]


async def test_in_memory_a_failure_undoes_its_own_transaction() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (x UNIQUE)")
    database = Inline(db, Clock(), Chores(idle, 60))
    with pytest.raises(KeyError):
        await database.run(stumble)
    assert await database.run(values) == []
    db.close()
