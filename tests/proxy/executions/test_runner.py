"""From a request to a result, with a real pool: shapes, failures, reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from integrations.base import Success
from proxy.executions import OUTPUT_SCHEMA, ExecutionLimits
from proxy.principal import Principal
from tests.proxy.executions.world import ALICE, BOB, connection, generation, shelf, workspace, world


async def test_a_defect_is_catchable_and_shows_no_cause() -> None:
    async with world() as running:
        value = await running.value(
            "try { await tools.demo.org.main.things.broken({}) } catch (error) { return error.message }"
        )
    assert value.startswith("Internal tool error [")


async def test_an_execution_keeps_its_generation_and_tightening_reaches_it() -> None:
    async with world() as running:
        smaller = workspace([connection("other.org.main", shelf())], (), 2)

        async def swapping(arguments: Any) -> Any:
            running.live.swap(generation(smaller, number=2))
            return {"ok": True}

        running.upstream.answers = {**running.upstream.answers, "things.list": _then(swapping)}
        value = await running.value(
            """await tools.demo.org.main.things.list({});
            const gone = await tools.demo.org.main.things.get({});
            const fresh = await tools.search({query: "get thing"});
            return [gone.error.code, fresh.items[0].path]"""
        )
    assert value == ["connection_removed", "other.org.main.things.get"]
    assert running.live.leases() == 0


def _then(function: Any) -> Any:
    async def answer(arguments: Any) -> Any:
        return Success(await function(arguments))

    return answer


async def test_a_large_result_is_read_back_by_later_code_of_the_same_principal_only() -> None:
    limits = replace(ExecutionLimits(), shown_result_bytes=1000)
    async with world(limits=limits) as running:
        first = await running.run("return [...Array(500).keys()]")
        ref = first.result["resultRef"]
        read = f"return await tools.executor.results.read({{ref: '{ref}', offset: 490}})"
        again = await running.run(read)
        foreign = await running.run(read, BOB)
    assert first.result["$truncated"] is True
    assert again.result["value"] == list(range(490, 500))
    assert foreign.result["error"]["code"] == "result_not_found"


async def test_code_that_is_not_unicode_is_a_syntax_error() -> None:
    async with world() as running:
        result = await running.run("return '\ud800'")
    assert result.error is not None
    assert result.error.name == "SyntaxError"


async def test_nothing_can_be_resumed() -> None:
    async with world() as running:
        result = await running.executions.resume("exec_" + "0" * 32, "accept", None, None, ALICE)
    shown = result.structured()
    jsonschema.validate(shown, OUTPUT_SCHEMA)
    assert result.is_error
    assert (shown["status"], shown["recovery"]) == ("execution_not_found", "re_execute")


@pytest.mark.parametrize("closed", [True, False])
async def test_without_config_or_workspace_the_answer_is_a_failure(closed: bool) -> None:
    async with world() as running:
        if closed:
            running.live.close()
        result = await running.run("return 1", Principal("elsewhere", "key:eve", "key"))
    assert result.status == "failed"
    assert result.is_error


async def test_neighbours_do_not_notice_an_endless_loop() -> None:
    async with world() as running:
        stuck = await running.run("while (true) {}", timeout_ms=100)
        assert await running.value("return 1") == 1
    assert stuck.status == "timeout"
