"""From a request to a result, with a real pool: shapes, failures, reports."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from integrations.base import Success
from policies import Rule
from proxy.executions import OUTPUT_SCHEMA, ExecutionLimits, ExecutionRequest
from proxy.executions.interactions import DecideOutcome
from proxy.executions.service import refused
from proxy.principal import Principal
from tests.proxy.executions.world import ALICE, BOB, Noted, connection, generation, shelf, workspace, world


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


ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "return (await tools.demo.org.main.things.create({n: 1})).ok"


async def test_a_decision_is_final_and_may_be_repeated() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        assert (await running.executions.resume(first.execution_id, "accept", None, None, ALICE)).result
        assert (await running.executions.resume(first.execution_id, "accept", None, None, ALICE)).result
        other = await running.executions.resume(first.execution_id, "decline", None, None, ALICE)
        assert other.status == "execution_already_settled"
        assert len(running.upstream.sent) == 1


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_race_of_accept_and_cancel_never_says_run_the_code_again(
    named: bool, cancel_first: bool
) -> None:
    async with world(rules=[ASK]) as running:
        for _ in range(10):
            before = len(running.upstream.sent)
            first = await running.run(CREATE)
            name = first.interactions[0].id if named else None
            accepting = running.executions.resume(first.execution_id, "accept", None, name, ALICE)
            canceling = running.executions.cancel(first.execution_id, ALICE)
            async with asyncio.TaskGroup() as group:
                if cancel_first:
                    canceled, accepted = group.create_task(canceling), group.create_task(accepting)
                else:
                    accepted, canceled = group.create_task(accepting), group.create_task(canceling)
            ended = accepted.result()
            assert ended.status in ("completed", "canceled", "execution_already_settled")
            assert ended.recovery != "re_execute"
            assert "Run the code again" not in (ended.error.as_text() if ended.error is not None else "")
            if ended.status == "completed":
                assert not canceled.result()
                assert len(running.upstream.sent) == before + 1


async def test_accepting_what_was_cancelled_says_that_it_was() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        assert await running.executions.cancel(first.execution_id, ALICE)
        name = first.interactions[0].id
        late = await running.executions.resume(first.execution_id, "accept", None, name, ALICE)
        assert (late.status, late.recovery) == ("canceled", None)
        assert running.upstream.sent == []


async def test_a_question_that_is_not_there_leaves_the_pause_as_it_is() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        wrong = await running.executions.resume(first.execution_id, "accept", None, "int_none", ALICE)
        assert wrong.status == first.status
        assert [one.id for one in wrong.interactions] == [one.id for one in first.interactions]
        assert "There is no such execution or interaction." in wrong.text()


async def test_strangers_learn_nothing() -> None:
    async with world(rules=[ASK]) as running:
        first = await running.run(CREATE)
        stranger = await running.executions.resume(first.execution_id, "accept", None, None, BOB)
        absent = await running.executions.resume("exec_0", "accept", None, None, BOB)
        assert stranger.status == absent.status == "execution_not_found"


def test_refusals_without_a_pause_say_what_to_do() -> None:
    result = refused("exec_1", ALICE, DecideOutcome(why="expired"), None)
    assert (result.status, result.recovery) == ("execution_expired", "re_execute")


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
