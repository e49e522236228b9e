"""Threats T22 (amplification), T23 (result integrity), T27 (credentials in answers), against real workers."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from urllib.parse import quote

import orjson
import pytest

from integrations.base import Failure, JsonObject, Result, Success
from proxy.executions import ExecutionLimits
from proxy.executions.machine.state import MachineLimits
from proxy.state import MemoryState, Owner
from tests.proxy.executions.world import TOKEN, shelf, world

CALLS = ExecutionLimits(machine=MachineLimits(calls=20, parallel=4))


async def test_t22_calls_in_a_loop_are_counted_and_the_rest_refused() -> None:
    async with world(limits=CALLS) as running:
        codes = await running.value(
            """const seen = {};
            for (let i = 0; i < 100; i++) {
              const r = await tools.demo.org.main.things.get({i});
              const key = r.ok ? "ok" : r.error.code;
              seen[key] = (seen[key] || 0) + 1;
            }
            return seen"""
        )
        assert codes == {"ok": 20, "call_limit_exceeded": 80}
        assert len(running.upstream.sent) == 20


async def test_t22_ten_thousand_parallel_calls_send_no_more_than_the_limits() -> None:
    async with world(limits=CALLS) as running:
        ok = await running.value(
            """const all = await Promise.all([...Array(10000).keys()].map((i) => tools.demo.org.main.things.get({i})));
            return all.filter((r) => r.ok).length"""
        )
        assert ok == 20
        assert running.upstream.most_underway <= 4


async def test_t22_bytes_of_all_answers_together_are_bounded() -> None:
    def large(arguments: JsonObject) -> Result:
        return Success("x" * 10_000)

    limits = ExecutionLimits(machine=MachineLimits(outcome_bytes=35_000))
    async with world(shelf(get=large), limits=limits) as running:
        codes = await running.value(
            """const codes = [];
            for (let i = 0; i < 5; i++) {
              const r = await tools.demo.org.main.things.get({});
              codes.push(r.ok ? "ok" : r.error.code);
            }
            return codes"""
        )
    assert codes == ["ok"] * 3 + ["upstream_response_too_large"] * 2


async def test_t22_timers_cannot_fill_the_journal() -> None:
    limits = ExecutionLimits(machine=MachineLimits(timers=20))
    async with world(limits=limits) as running:
        result = await running.run("while (true) await sleep(0)")
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.name == "TimerLimitError"


async def test_t23_expected_failures_do_not_throw_and_defects_can_be_caught() -> None:
    def failing(arguments: JsonObject) -> Result:
        return Failure("upstream_http_error", "HTTP 500", True, 500)

    async with world(shelf(get=failing)) as running:
        value = await running.value(
            """const r = await tools.demo.org.main.things.get({});
            let caught = null;
            try { await tools.demo.org.main.things.broken({}) } catch (error) { caught = error instanceof Error }
            return [r.error.code, caught]"""
        )
    assert value == ["upstream_http_error", True]


async def test_t23_calls_that_are_not_awaited_are_settled_before_the_answer() -> None:
    async with world() as running:
        result = await running.run(
            "[1, 2, 3].forEach(async (n) => { await tools.demo.org.main.things.create({n}) })"
        )
        assert result.status == "completed"
        assert len(running.upstream.sent) == 3
        assert [call.ok for call in result.calls] == [True] * 3


async def test_t23_a_truncated_result_is_valid_json_and_bounded() -> None:
    limits = replace(ExecutionLimits(), shown_result_bytes=2000)
    async with world(limits=limits) as running:
        result = await running.run(
            "return {rows: [...Array(5000).keys()].map((n) => ({n, text: '\\u2028\"'.repeat(9)}))}"
        )
    encoded = orjson.dumps(result.structured())
    assert orjson.loads(encoded)["result"]["$truncated"] is True
    assert len(encoded) < 4000
    assert len(result.text()) <= 30_000


async def test_t23_a_huge_return_value_fails_clearly() -> None:
    limits = replace(ExecutionLimits(), result_bytes=10_000)
    async with world(limits=limits) as running:
        result = await running.run("return 'x'.repeat(100000)")
    assert result.status == "failed"
    assert "larger than 10000 bytes" in result.text()


async def test_t23_a_log_flood_is_cut_and_the_result_survives() -> None:
    limits = replace(ExecutionLimits(), log_bytes=10_000)
    async with world(limits=limits) as running:
        result = await running.run(
            "for (let i = 0; i < 100000; i++) console.log('x'.repeat(100)); return 'here'"
        )
    assert result.result == "here"
    assert sum(len(text) for _, text in result.logs) < 12_000
    assert result.text().startswith("here")


REFLECTIONS = [
    TOKEN,
    f"Authorization: Bearer {TOKEN}",
    base64.b64encode(f"user:{TOKEN}".encode()).decode(),
    quote(TOKEN, safe=""),
    orjson.dumps({"headers": {"authorization": TOKEN}}).decode(),
]


@pytest.mark.parametrize("text", REFLECTIONS)
async def test_t27_a_reflected_credential_reaches_neither_code_nor_journal_nor_log(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    def reflecting(arguments: JsonObject) -> Result:
        return Success({"echo": text, "deep": [{text: text}]})

    def refusing(arguments: JsonObject) -> Result:
        return Failure("upstream_http_error", f"rejected {text}", status=400, details={"body": text})

    state = MemoryState()
    with caplog.at_level(logging.DEBUG):
        async with world(shelf(get=reflecting, list=refusing), state=state) as running:
            result = await running.run(
                """const a = await tools.demo.org.main.things.get({});
                const b = await tools.demo.org.main.things.list({});
                const c = await tools.demo.org.main.things.broken({}).catch((e) => e.message);
                console.log(a, b, c);
                return [a, b, c]"""
            )
        journal = b"".join(await state.read_journal(result.execution_id, Owner("ws", "key:alice")))
    shown = orjson.dumps([result.structured(), result.content()]).decode()
    logged = "".join(str(record.__dict__) for record in caplog.records)
    assert result.status == "completed", result.text()
    assert "[redacted]" in shown
    for secret in (TOKEN, text, text.rstrip("=")):
        assert secret not in shown
        assert secret not in journal.decode()
        assert secret not in logged
