"""From a journal to the next result: cancelling, idempotency keys, what a dead process leaves behind."""

from __future__ import annotations

from policies import Rule
from tests.proxy.executions.world import ALICE, Noted, world

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "console.log('once'); return await tools.demo.org.main.things.create({n: 1})"


async def test_the_result_of_a_resume_has_the_logs_and_calls_of_all_its_parts() -> None:
    code = "const a = await tools.demo.org.main.things.get({}); " + CREATE
    async with world(rules=[ASK]) as running:
        first = await running.run(code)
        observer = Noted()
        result = await running.executions.resume(
            first.execution_id, "accept", None, None, ALICE, observer=observer
        )
    assert result.logs == (("log", "once"),)
    assert [(call.path[-6:], call.ok) for call in result.calls] == [("gs.get", True), ("create", True)]
    assert [event[0] for event in observer.events] == ["started", "finished"], "lines are not told twice"


async def test_a_paused_execution_can_be_cancelled() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        assert await running.executions.cancel(first.execution_id, ALICE)
        assert not await running.executions.cancel(first.execution_id, ALICE)
        shown = await running.executions.show(first.execution_id, ALICE)
    assert shown is not None
    assert (shown.status, shown.interactions) == ("canceled", ())


async def test_a_broken_journal_ends_the_execution_with_words() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        record = await running.state.find_execution(first.execution_id, "ws")
        assert record is not None
        await running.state.drop_journal(first.execution_id, record.owner)
        result = await running.executions.resume(first.execution_id, "accept", None, None, ALICE)
    assert result.error is not None
    assert result.error.name == "StateError"
