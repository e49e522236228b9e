import re

import pytest

from proxy.telemetry import METRICS, MetricsRegistry


def text(metrics: MetricsRegistry) -> str:
    return metrics.render()[0].decode()


def test_the_table_is_sound() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"executor_[a-z0-9_]+", metric.name)
        assert metric.help.endswith(".")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(metric.buckets)


def test_every_metric_of_the_table_can_be_used_and_is_exposed() -> None:
    metrics = MetricsRegistry()
    for metric in METRICS:
        labels = dict.fromkeys(metric.labels, "x")
        if metric.kind == "counter":
            metrics.count(metric.name, **labels)
        elif metric.kind == "gauge":
            metrics.set(metric.name, 1, **labels)
        else:
            metrics.observe(metric.name, 0.1, **labels)
    exposed = text(metrics)
    assert all(f"# HELP {metric.name} " in exposed for metric in METRICS)


def test_counting_setting_and_adding() -> None:
    metrics = MetricsRegistry()
    metrics.count("executor_requests_total", path="/mcp", status="200")
    metrics.count("executor_requests_total", 2, path="/mcp", status="200")
    metrics.set("executor_executions_running", 4)
    metrics.add("executor_executions_running", -1)
    metrics.observe("executor_request_seconds", 0.003, path="/mcp")
    assert metrics.value("executor_requests_total", path="/mcp", status="200") == 3
    assert metrics.value("executor_executions_running") == 3
    assert 'executor_request_seconds_bucket{le="0.005",path="/mcp"} 1.0' in text(metrics)


def test_an_info_metric_has_one_series() -> None:
    metrics = MetricsRegistry()
    metrics.only("executor_config_info", 1, sha256="aaa", generation="1")
    metrics.only("executor_config_info", 1, sha256="bbb", generation="2")
    assert metrics.value("executor_config_info", sha256="aaa", generation="1") is None
    assert metrics.value("executor_config_info", sha256="bbb", generation="2") == 1


def test_a_state_metric_has_one_series_for_each_thing() -> None:
    metrics = MetricsRegistry()
    for connection, status in (
        ("a.org.main", "failed"),
        ("b.org.main", "failed"),
        ("a.org.main", "connected"),
    ):
        metrics.only(
            "executor_connection_status",
            1,
            within={"connection": connection},
            connection=connection,
            status=status,
        )
    assert metrics.value("executor_connection_status", connection="a.org.main", status="failed") is None
    assert metrics.value("executor_connection_status", connection="a.org.main", status="connected") == 1
    assert metrics.value("executor_connection_status", connection="b.org.main", status="failed") == 1


def test_what_left_the_config_leaves_the_metrics() -> None:
    metrics = MetricsRegistry()
    metrics.count("executor_tool_calls_total", integration="gone", outcome="ok")
    metrics.count("executor_tool_calls_total", integration="stays", outcome="ok")
    metrics.observe("executor_tool_call_seconds", 1, integration="gone")
    metrics.forget(integration="gone")
    assert "gone" not in text(metrics)
    assert metrics.value("executor_tool_calls_total", integration="stays", outcome="ok") == 1


def test_two_starts_share_nothing() -> None:
    first, second = MetricsRegistry(), MetricsRegistry()
    first.set("executor_executions_running", 7)
    assert second.value("executor_executions_running") == 0


def test_a_name_outside_the_table_is_a_defect() -> None:
    with pytest.raises(KeyError):
        MetricsRegistry().count("executor_surprise_total")


def test_label_values_cannot_forge_a_series() -> None:
    metrics = MetricsRegistry()
    metrics.count("executor_rate_limit_hits_total", limit='x"} 1\nforged 1')
    assert not any(line.startswith("forged") for line in text(metrics).splitlines())


def test_the_content_type_is_one_prometheus_accepts() -> None:
    assert MetricsRegistry().render()[1].startswith("text/plain; version=")


def test_a_series_begins_at_zero() -> None:
    metrics = MetricsRegistry()
    metrics.begin("executor_executions_total", status="failed")
    metrics.begin("executor_tool_call_seconds", integration="github")
    assert metrics.value("executor_executions_total", status="failed") == 0
    assert 'executor_tool_call_seconds_count{integration="github"} 0.0' in text(metrics)
    metrics.count("executor_executions_total", status="failed")
    metrics.begin("executor_executions_total", status="failed")
    assert metrics.value("executor_executions_total", status="failed") == 1


def test_there_are_no_created_series() -> None:
    metrics = MetricsRegistry()
    metrics.count("executor_requests_total", path="/mcp", status="200")
    metrics.observe("executor_request_seconds", 0.1, path="/mcp")
    assert "_created" not in text(metrics)
