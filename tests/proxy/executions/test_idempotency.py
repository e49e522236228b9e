"""One key, one execution."""

from __future__ import annotations

import asyncio

from proxy.executions import ExecutionRequest
from tests.proxy.executions.world import (
    ALICE,
    Noted,
    world,
)


async def test_one_idempotency_key_is_one_execution() -> None:
    async with world() as running:
        request = ExecutionRequest("return (await tools.demo.org.main.things.create({})).ok")
        both = await asyncio.gather(
            *(running.executions.execute(request, ALICE, Noted(), idempotency_key="k") for _ in range(2))
        )
        other = await running.executions.execute(
            ExecutionRequest("return 2"), ALICE, Noted(), idempotency_key="k"
        )
    assert len({one.execution_id for one in both}) == 1
    assert len(running.upstream.sent) == 1
    assert other.error is not None
    assert other.error.name == "IdempotencyError"
