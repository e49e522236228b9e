"""Waiting for the next result, together or alone."""

from __future__ import annotations

import asyncio

from integrations.base import JsonObject, Result, Success
from policies import Rule
from tests.proxy.executions.world import ALICE, shelf, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "console.log('once'); return await tools.demo.org.main.things.create({n: 1})"


async def test_concurrent_resumes_join() -> None:
    gate, called = asyncio.Event(), asyncio.Event()

    async def gated(arguments: JsonObject) -> Result:
        called.set()
        await gate.wait()
        return Success(arguments)

    async with world(shelf(create=gated), rules=[ASK]) as running, asyncio.TaskGroup() as group:
        first = await running.run(CREATE)
        tasks = [
            group.create_task(running.executions.resume(first.execution_id, "accept", None, None, ALICE))
            for _ in range(5)
        ]
        await called.wait()
        gate.set()
    assert {task.result().status for task in tasks} == {"completed"}
    assert len(running.upstream.sent) == 1
