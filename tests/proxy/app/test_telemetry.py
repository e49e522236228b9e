"""What is counted and traced while real code runs against a real upstream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proxy.app.application import Application
from proxy.app.options import InvalidConfig
from proxy.executions import SILENT, ExecutionRequest, InteractionDecision
from proxy.principal import Principal
from tests.integrations.echo import Echo, echo_server
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, inline, shop

LOCAL = Principal("default", "local", "local")


async def run(application: Application, code: str) -> object:
    result = await application.gateway.execute(ExecutionRequest(code, 5000), LOCAL, SILENT)
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
        result = await application.gateway.execute(ExecutionRequest(code, 20_000), LOCAL, SILENT)
        assert result.status in ("failed", "timeout")
        assert 'executor_executions_total{status="' in application.metrics.render()[0].decode()


async def test_decisions_are_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        async with application_of(tmp_path, config_text(inline(shop(echo.url))), env) as application:
            request = ExecutionRequest("return (await tools.shop.items.delete({id: 'a'})).ok", 60_000)
            held = await application.gateway.execute(request, LOCAL, SILENT)
            decisions = {
                held.interactions[0].id: InteractionDecision("decline"),
                "ask_of_nobody": InteractionDecision("accept"),
            }
            await application.gateway.decide(held.execution_id, decisions, LOCAL, "rest")
            metrics = application.gateway.metrics().decode()
    for line in (
        'executor_approval_decisions_total{action="decline",outcome="taken"} 1.0',
        'executor_approval_decisions_total{action="accept",outcome="not_found"} 1.0',
        "executor_executions_running 0.0",
    ):
        assert line in metrics


def spans(collector: Echo) -> list[Span]:
    sent = [ExportTraceServiceRequest.FromString(one.body) for one in collector.log]
    scopes = [scope for one in sent for resource in one.resource_spans for scope in resource.scope_spans]
    return [span for scope in scopes for span in scope.spans]


async def test_an_execution_and_its_calls_are_one_trace(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo, echo_server() as collector:
        otlp = (
            f"telemetry: {{otlp: {{endpoint: '{collector.url}', headers: {{X-Key: {{env: OTLP_KEY}}}}}}}}\n"
        )
        text = config_text(inline(shop(echo.url)), more=otlp)
        async with application_of(tmp_path, text, env, {"OTLP_KEY": "otlp-key"}) as application:
            code = "return (await tools.shop.items.get({id: 'secret argument'})).ok"
            result = await application.gateway.execute(ExecutionRequest(code, 60_000), LOCAL, SILENT)
            assert result.result is True
    found = spans(collector)
    call, execution = sorted(found, key=lambda span: span.name)
    assert (call.name, execution.name) == ("execute_tool", "execution")
    assert call.parent_span_id == execution.span_id
    assert {one.key: one.value.string_value for one in call.attributes}["gen_ai.tool.name"] == (
        "shop.org.main.items.get"
    )
    told = echo.log[-1].header("traceparent") or ""
    assert told.startswith(f"00-{call.trace_id.hex()}-{call.span_id.hex()}-")
    assert collector.log[0].target == "/v1/traces"
    assert collector.log[0].header("x-key") == "otlp-key"
    assert b"secret argument" not in b"".join(one.body for one in collector.log)


async def test_without_a_collector_upstreams_are_told_nothing(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        async with application_of(tmp_path, config_text(inline(shop(echo.url))), env) as application:
            code = "return (await tools.shop.items.get({id: 'a'})).ok"
            await application.gateway.execute(ExecutionRequest(code, 60_000), LOCAL, SILENT)
    assert echo.log[-1].header("traceparent") is None


async def test_a_missing_secret_is_no_start(tmp_path: Path, env: Mapping[str, str]) -> None:
    otlp = "telemetry: {otlp: {endpoint: 'https://otel.example.com', headers: {A: {env: NOT_THERE}}}}\n"
    with pytest.raises(InvalidConfig, match="NOT_THERE"):
        async with application_of(tmp_path, config_text(more=otlp), env):
            raise AssertionError("it started")


def test_the_package_is_needed_only_by_who_wants_traces() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "import asyncio\n"
        "from proxy.config import load_config\n"
        "from proxy.app.options import CannotServe\n"
        "from proxy.app.telemetry import open_spans\n"
        "text = b'version: 1\\ntelemetry: {otlp: {endpoint: https://otel.example.com}}\\n'\n"
        "config = load_config(['-'], env={}, stdin=text).config\n"
        "async def main():\n"
        "    async with open_spans(config, {}): pass\n"
        "try: asyncio.run(main())\n"
        "except CannotServe as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "install `executor-proxy[otlp]`" in done.stdout
