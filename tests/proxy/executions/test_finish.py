"""How runs end in the store, and the results that their callers get."""

from __future__ import annotations

import jsonschema

from policies import Rule
from proxy.executions import OUTPUT_SCHEMA, ExecutionReport
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


async def test_a_result_has_ids_revision_and_calls() -> None:
    async with world() as running:
        result = await running.run(
            "return (await tools.demo.org.main.things.get({a: 1})).data", session_id="mcp_1"
        )
        shown = result.structured()
    jsonschema.validate(shown, OUTPUT_SCHEMA)
    assert shown["taskId"] == shown["executionId"]
    assert shown["executionId"].startswith("exec_")
    assert len(shown["executionId"]) == 5 + 32
    assert shown["result"] == {"a": 1}
    assert shown["sessionId"] == "mcp_1"
    assert shown["catalogRevision"] == running.live.current.workspaces["ws"].catalog.revision
    assert [(call["path"], call["ok"]) for call in shown["calls"]] == [("demo.org.main.things.get", True)]


async def test_errors_carry_their_place_in_the_code_as_sent() -> None:
    async with world() as running:
        thrown = await running.run("const a = 1;\nthrow new RangeError('no')")
        syntax = await running.run("const a = 1;\nconst = 2")
    assert thrown.error is not None
    assert (thrown.error.name, thrown.error.line) == ("RangeError", 2)
    assert syntax.error is not None
    assert (syntax.error.name, syntax.error.line) == ("SyntaxError", 2)
    assert thrown.exit_code == syntax.exit_code == 1


async def test_an_overdeep_result_fails_with_words() -> None:
    async with world() as running:
        result = await running.run("let v = 1; for (let i = 0; i < 300; i++) v = [v]; return v")
    assert result.status == "failed"
    assert result.error is not None
    assert "180 levels" in result.error.message


async def test_emitted_values_follow_the_text() -> None:
    async with world() as running:
        result = await running.run("emit('one'); emit({a: 1}); return 2")
    assert [block["text"] for block in result.content()] == ["2", "one", '{\n  "a": 1\n}']


async def test_every_execution_is_reported_once() -> None:
    reports: list[ExecutionReport] = []
    async with world(on_execution=reports.append) as running:
        await running.run("await tools.demo.org.main.things.get({})", metadata={"why": "test"})
    (report,) = reports
    assert (report.status, report.calls, report.lost, report.generation) == ("completed", 1, None, 1)
    assert report.metadata == {"why": "test"}
    assert len(report.code_sha256) == 64
