"""Replay: a program runs once for real; its journal alone makes a fresh worker say the same, and nothing is sent."""

from __future__ import annotations

import asyncio
import random

import pytest

from integrations.base import JsonObject, Result, Success
from proxy.executions.journal import (
    CorruptJournal,
    DispatchRecord,
    Record,
    SettleRecord,
    StartRecord,
    TimerRecord,
    decode,
)
from proxy.executions.replay import Diverged, Replay, deliveries
from proxy.sandbox import Blocked, Done, Limits, Pool, ResultDelivery, StartMessage, TimerDelivery, ToolCall
from proxy.state import MemoryState, Owner
from tests.proxy.executions.world import ALICE, World, shelf, world

START = StartRecord("code", "00" * 32, 1.0, 10, 100, 100, 100, 100)
OWNER = Owner(ALICE.workspace_id, ALICE.account_id)
EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

PROGRAMS = [
    "return [Date.now(), Math.random(), crypto.randomUUID()]",
    """const order = [];
    await Promise.all([...Array(12).keys()].map(async (i) => {
      const r = await tools.demo.org.main.things.get({i});
      order.push([r.data.i, Date.now(), Math.random()]);
    }));
    return order""",
    """const { get, list, broken } = tools.demo.org.main.things;
    const first = await Promise.race([get({a: 1}), sleep(5), list({})]);
    console.log(performance.now(), first);
    await sleep(3);
    const rest = await Promise.allSettled([broken({}), get({b: 2})]);
    return [first, rest.map((r) => r.status), Date.now()]""",
    """let n = 0;
    for (let i = 0; i < 5; i++) {
      n += (await tools.demo.org.main.things.get({i})).data.i;
      if (n > 2) await sleep(1);
    }
    tools.demo.org.main.things.create({n});
    return n""",
]


async def uneven(arguments: JsonObject) -> Result:
    for _ in range(random.randrange(6)):
        await asyncio.sleep(0)
    return Success(arguments)


async def first_run(running: World, code: str) -> tuple[Done, Replay, str]:
    """What the worker said at the end, and its journal ready to replay."""
    result = await running.run(code)
    assert result.status == "completed", result.text()
    lines = await running.state.read_journal(result.execution_id, OWNER)
    done = Done(True, result.result, True, None, (), result.logs, ())
    return done, Replay([decode(line) for line in lines]), result.text()


async def replayed(pool: Pool, replay: Replay) -> tuple[Done, list[tuple[str, str]]]:
    start = replay.start
    limits = Limits(
        start.calls, start.calls, start.log_bytes, start.emit_bytes, start.argument_bytes, start.result_bytes
    )
    logs: list[tuple[str, str]] = []
    async with pool.worker("ws", 20) as worker:
        await worker.start(StartMessage(start.code, start.seed, start.now, limits))
        while True:
            message = await worker.receive()
            logs += message.logs
            if isinstance(message, Done):
                return message, logs
            assert isinstance(message, Blocked)
            delivery = replay.blocked(message.calls)
            assert delivery is not None
            await worker.deliver([delivery])


@pytest.mark.parametrize("code", PROGRAMS)
async def test_a_journal_reproduces_the_run_without_sending_anything(code: str) -> None:
    async with world(shelf(get=uneven, list=uneven), state=MemoryState()) as running:
        first, replay, _ = await first_run(running, code)
        sent = len(running.upstream.sent)
        again, logs = await replayed(running.pool, replay)
        assert again.value == first.value
        assert tuple(logs) == first.logs
        assert len(running.upstream.sent) == sent


def test_a_journal_begins_with_its_start() -> None:
    for records in ([], [TimerRecord(1.0)]):
        with pytest.raises(CorruptJournal):
            Replay(records)


def test_another_call_than_recorded_is_a_divergence_that_shows_both() -> None:
    replay = Replay([START, DispatchRecord(0, "a.b.c.d", EMPTY), SettleRecord(0, b"{}", 2.0)])
    with pytest.raises(Diverged, match=r"a\.b\.c\.d.*x\.y\.z\.w"):
        replay.blocked([ToolCall(0, "x.y.z.w", {})])


def test_other_arguments_than_recorded_are_a_divergence() -> None:
    replay = Replay([START, DispatchRecord(0, "a.b.c.d", EMPTY)])
    assert replay.blocked([ToolCall(0, "a.b.c.d", {})]) is None
    with pytest.raises(Diverged):
        replay.blocked([ToolCall(0, "a.b.c.d", {"changed": 1})])


def test_a_result_for_a_call_that_was_not_made_is_a_divergence() -> None:
    with pytest.raises(Diverged):
        Replay([START, SettleRecord(0, b"{}", 2.0)]).blocked([])


def test_a_refused_call_has_no_dispatch_and_is_not_checked() -> None:
    replay = Replay([START, SettleRecord(0, b"{}", 2.0)])
    assert replay.blocked([ToolCall(0, "p", {})]) == ResultDelivery(2.0, 0, b"{}")


def test_deliveries_are_settlements_and_timers_in_order() -> None:
    records: list[Record] = [
        START,
        DispatchRecord(0, "p", EMPTY),
        TimerRecord(2.0),
        SettleRecord(0, b"{}", 3.0),
    ]
    assert deliveries(records) == (TimerDelivery(2.0), ResultDelivery(3.0, 0, b"{}"))
