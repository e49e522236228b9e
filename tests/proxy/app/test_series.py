"""What is shown at 0 before anything happened."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from proxy.app.series import KNOWN
from proxy.telemetry import METRICS
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.support import config_text, written

# Of these the values are what callers, upstreams or the system bring about, or there is no series without an event.
NOT_KNOWN_BEFOREHAND = {
    "executor_config_info",
    "executor_connection_status",
    "executor_connection_healthy",
    "executor_tool_drift",
    "executor_tls_certificate_expiry_timestamp_seconds",
    "executor_token_expiry_timestamp_seconds",
    "executor_api_key_expiry_timestamp_seconds",
}
# Set before each rendering, or named by the config.
ELSEWHERE = {
    "executor_build_info",
    "executor_http_connections",
    "executor_descriptors",
    "executor_rate_limit_hits_total",
    "executor_tool_calls_total",
    "executor_tool_call_seconds",
}


def test_every_metric_with_labels_begins_somewhere() -> None:
    labelled = {metric.name: metric.labels for metric in METRICS if metric.labels}
    assert labelled.keys() == {name for name, labels in KNOWN if labels} | NOT_KNOWN_BEFOREHAND | ELSEWHERE
    for name, labels in KNOWN:
        assert tuple(labels) == labelled.get(name, ())
        assert all(labels.values())


async def test_a_server_that_nobody_has_called_shows_zeros(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(
        more=MEMORY + "rate_limits: {few: {per: tool, applies_to: tool_calls, limit: 1/hour}}\n"
    )
    async with application_of(tmp_path, text, env) as application:
        exposed = application.gateway.metrics().decode()
        written(tmp_path, config_text(more=MEMORY + "rate_limits: {}\n"))
        await application.gateway.reload()
        after = application.gateway.metrics().decode()
    assert f'version="{metadata.version("executor-proxy")}"' in exposed
    for line in (
        'executor_executions_total{status="timeout"} 0.0',
        'executor_config_reloads_total{result="rejected",trigger="watch"} 0.0',
        'executor_config_reloads_total{result="applied",trigger="start"} 1.0',
        'executor_sandbox_kills_total{reason="memory"} 0.0',
        'executor_tool_calls_total{integration="shop",outcome="upstream_timeout"} 0.0',
        'executor_tool_calls_total{integration="shop",outcome="oauth_reauth_required"} 0.0',
        'executor_tool_call_seconds_count{integration="shop"} 0.0',
        'executor_rate_limit_hits_total{limit="few"} 0.0',
        'executor_requests_total{path="mcp",status="503"} 0.0',
        'executor_task_failures_total{task="webhook"} 0.0',
        "executor_executions_waiting 0.0",
    ):
        assert line in exposed
    assert "_created" not in exposed
    assert 'limit="few"' not in after


async def test_keys_with_an_end_are_shown(tmp_path: Path, env: Mapping[str, str]) -> None:
    keys = """auth:
  api_keys:
    keys:
      ci_bot: {value: {env: CI_KEY}, expires: 2031-01-02}
      forever: {value: {env: OTHER_KEY}}
"""
    secrets = {"CI_KEY": "k" * 40, "OTHER_KEY": "o" * 40}
    async with application_of(tmp_path, config_text(more=MEMORY + keys), env, secrets) as application:
        exposed = application.gateway.metrics().decode()
    assert 'executor_api_key_expiry_timestamp_seconds{key="ci_bot"} 1.925' in exposed
    assert "forever" not in exposed
