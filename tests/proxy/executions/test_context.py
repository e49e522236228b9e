"""From a request or a journal to what a run needs; limits and clocks."""

from __future__ import annotations

import time
from dataclasses import replace

from policies import Rule
from proxy.calls import Calls
from proxy.config import Config
from proxy.executions import ExecutionLimits, ExecutionOptions, ExecutionRequest, Executions
from proxy.executions.context import (
    Continuation,
    NewExecution,
    first_run,
    limits_from,
    next_run,
    not_before,
    start_message,
    wall_clock,
)
from proxy.executions.machine.journal import DispatchRecord, StartRecord, past_of
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, Noted, connection, generation, shelf, workspace, world

LIMITS = ExecutionLimits()


def test_going_on_keeps_what_the_code_could_see() -> None:
    config = generation(workspace([connection("demo.org.main", shelf())]))
    new = NewExecution("exec_1", ExecutionRequest("return 1", timeout_ms=5000), ALICE, Noted())
    first = first_run(new, config, LIMITS, MemoryState(), 1000.0)
    assert first.start.now == 1000.0
    assert first.lease.record.expires_at == 1.0 + LIMITS.execution_ttl_ms / 1000
    assert not first.lease.is_stored
    past = past_of([first.start, DispatchRecord(0, "a", "d")])
    tighter = replace(LIMITS, machine=replace(LIMITS.machine, calls=1, argument_bytes=1))
    now = replace(ALICE, groups=frozenset({"new"}))
    again = next_run(first.lease, Continuation(past, {}), now, config, tighter, Noted())
    assert again.request.code == "return 1"
    assert again.machine.calls == first.machine.calls
    assert again.machine.argument_bytes == first.machine.argument_bytes
    assert again.machine.active_ms == 5000
    assert again.principal == now


def test_the_worker_shows_every_call_at_once() -> None:
    message = start_message(StartRecord("code", "00", 1.0, 7, 2, 3, 4, 5))
    assert (message.limits.calls, message.limits.parallel) == (7, 7)
    assert (message.code, message.seed, message.now) == ("code", "00", 1.0)


def test_the_config_decides() -> None:
    config = Config.model_validate(
        {
            "version": 1,
            "sandbox": {
                "timeout": "10s",
                "max_timeout": "20s",
                "max_tool_calls": 5,
                "max_parallel_tool_calls": 2,
            },
            "execute": {"max_result_bytes": "4KiB"},
        }
    )
    limits = limits_from(config)
    assert (limits.timeout_ms, limits.max_timeout_ms) == (10_000, 20_000)
    assert (limits.machine.calls, limits.machine.parallel) == (5, 2)
    assert limits.shown_result_bytes == 4096


def test_a_request_may_ask_for_less_or_more_up_to_the_maximum() -> None:
    limits = ExecutionLimits(timeout_ms=10_000, max_timeout_ms=20_000)
    assert limits.for_request(None).active_ms == 10_000
    assert limits.for_request(500).active_ms == 500
    assert limits.for_request(60_000).active_ms == 20_000


HOUR_MS = 3_600_000
CODE = """const before = Date.now(); await tools.demo.org.main.things.create({}); await sleep(5);
return [Date.now() >= before + 5, Date.now() < before + 60000]"""


def test_the_clock_is_milliseconds_and_never_goes_back() -> None:
    clock = wall_clock()
    first, second = clock(), clock()
    assert second >= first > 1_700_000_000_000


def test_a_clock_that_is_behind_is_put_forward_and_goes_on_from_there() -> None:
    now = [100.0]
    assert not_before(lambda: now[0], 90.0)() == 100.0
    late = not_before(lambda: now[0], 250.0)
    assert late() == 250.0
    now[0] += 5
    assert late() == 255.0


async def test_a_replica_whose_clock_is_an_hour_behind_does_not_wait_for_an_hour() -> None:
    rules = (Rule("ask", "demo.org.main.things.create", "require_approval"),)
    async with world(rules=rules) as first:
        behind = Executions(
            first.pool,
            Calls(first.live, first.state),
            first.live,
            first.state,
            ExecutionOptions(clock=lambda: time.time() * 1000 - HOUR_MS),
        )
        paused = await first.run(CODE)
        question = paused.interactions[0].id
        result = await behind.resume(paused.execution_id, "accept", None, question, ALICE)
        assert (result.status, result.result) == ("completed", [True, True])
