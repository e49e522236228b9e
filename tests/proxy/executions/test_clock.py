"""The clock of executions."""

from __future__ import annotations

import time

from policies import Rule
from proxy.calls import Calls
from proxy.executions import Executions
from proxy.executions.clock import not_before, wall_clock
from tests.proxy.executions.world import ALICE, world

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
            clock=lambda: time.time() * 1000 - HOUR_MS,
        )
        paused = await first.run(CODE)
        question = paused.interactions[0].id
        result = await behind.resume(paused.execution_id, "accept", None, question, ALICE)
        assert (result.status, result.result) == ("completed", [True, True])
