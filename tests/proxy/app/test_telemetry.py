"""What is counted while real code runs against a real upstream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.application import Application
from proxy.executions import Decision, ExecutionRequest
from proxy.principal import Principal
from proxy.serving.observer import Silence
from tests.integrations.echo import echo_server
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, inline, shop

LOCAL = Principal("default", "local", "local")


async def run(application: Application, code: str) -> object:
    result = await application.gateway.execute(ExecutionRequest(code, 5000), LOCAL, Silence())
    assert result.status == "completed", result.text()
    return result.result


async def test_limits_and_calls_are_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "rate_limits: {few: {per: tool, applies_to: tool_calls, limit: 1/hour}}\n"
    async with echo_server() as echo:
        text = config_text(inline(shop(echo.url)), more=more)
        async with application_of(tmp_path, text, env) as application:
            code = """
                const codes = [];
                for (let i = 0; i < 2; i++) codes.push((await tools.shop.items.get({id: "a"})).error?.code ?? "ok");
                return codes;"""
            assert await run(application, code) == ["ok", "rate_limited"]
            metrics = application.metrics.render()[0].decode()
    for line in (
        'executor_tool_calls_total{integration="shop",outcome="ok"} 1.0',
        'executor_tool_calls_total{integration="shop",outcome="rate_limited"} 1.0',
        'executor_rate_limit_hits_total{limit="few"} 1.0',
        'executor_policy_decisions_total{action="approve"} 2.0',
        'executor_executions_total{status="completed"} 1.0',
    ):
        assert line in metrics


async def test_a_lost_worker_is_counted_with_its_reason(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        code = "const all = []; for (;;) all.push(new Array(1e5).fill({}))"
        result = await application.gateway.execute(ExecutionRequest(code, 20_000), LOCAL, Silence())
        assert result.status in ("failed", "timeout")
        assert 'executor_executions_total{status="' in application.metrics.render()[0].decode()


async def test_decisions_are_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        async with application_of(tmp_path, config_text(inline(shop(echo.url))), env) as application:
            request = ExecutionRequest("return (await tools.shop.items.delete({id: 'a'})).ok", 60_000)
            held = await application.gateway.execute(request, LOCAL, Silence())
            decisions = {held.interactions[0].id: Decision("decline"), "ask_of_nobody": Decision("accept")}
            await application.gateway.decide(held.execution_id, decisions, LOCAL, "rest")
            metrics = application.gateway.metrics().decode()
    for line in (
        'executor_approval_decisions_total{action="decline",outcome="taken"} 1.0',
        'executor_approval_decisions_total{action="accept",outcome="not_found"} 1.0',
        "executor_executions_running 0.0",
    ):
        assert line in metrics
