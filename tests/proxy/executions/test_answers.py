"""From an end to a result: shapes, places, bounds."""

from __future__ import annotations

import jsonschema

from proxy.executions import OUTPUT_SCHEMA
from tests.proxy.executions.world import (
    world,
)


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
    assert "250 levels" in result.error.message


async def test_emitted_values_follow_the_text() -> None:
    async with world() as running:
        result = await running.run("emit('one'); emit({a: 1}); return 2")
    assert [block["text"] for block in result.content()] == ["2", "one", '{\n  "a": 1\n}']
