"""What a stored execution says when it is opened again."""

from __future__ import annotations

from policies import Rule
from tests.proxy.executions.world import ALICE, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "console.log('once'); return await tools.demo.org.main.things.create({n: 1})"


async def test_a_broken_journal_ends_the_execution_with_words() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        record = await running.state.find_execution(first.execution_id, "ws")
        assert record is not None
        await running.state.drop_journal(first.execution_id, record.owner)
        result = await running.executions.resume(first.execution_id, "accept", None, None, ALICE)
    assert result.error is not None
    assert result.error.name == "StateError"
