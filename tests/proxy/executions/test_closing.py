"""How stretches end in the store."""

from __future__ import annotations

from policies import Rule
from proxy.state import ExecutionRecord, Lease, MemoryState, StateError
from tests.proxy.executions.world import world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "console.log('once'); return await tools.demo.org.main.things.create({n: 1})"


async def test_a_pause_holds_no_worker_and_no_generation() -> None:
    async with world(rules=[ASK]) as running:
        await running.run(CREATE)
        assert running.pool.stats().busy == 0
        assert running.live.leases() == 0
        assert running.executions.running == 0


async def test_a_pause_that_cannot_be_kept_is_not_acknowledged() -> None:
    class Full(MemoryState):
        async def save_execution(
            self, record: ExecutionRecord, *, lease: Lease | None = None, pending_cap: int | None = None
        ) -> ExecutionRecord:
            if record.status == "paused":
                raise StateError("disk full")
            return await super().save_execution(record, lease=lease, pending_cap=pending_cap)

    async with world(rules=[ASK], state=Full()) as running:
        result = await running.run(CREATE)
        assert not running.upstream.sent
    assert result.error is not None
    assert result.error.name == "StateError"
    assert result.interactions == ()
