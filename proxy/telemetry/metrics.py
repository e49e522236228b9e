"""Prometheus metrics: one readable table, and one registry for each start of the server.

Label values come from a closed set (route templates, status codes, names in the config), never from callers'
input: otherwise anyone could make the server remember endless series. Series of integrations, connections and
limits that left the config are dropped with `forget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector

MetricKind = Literal["counter", "gauge", "histogram"]

# A series `..._created` beside each counter and histogram would double what is scraped, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Seconds. A trivial execute takes milliseconds, an upstream call some hundred, an execution up to ten minutes.
QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. Histograms count seconds in `buckets`."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


METRICS: Final[tuple[Metric, ...]] = (
    Metric("executor_build_info", "gauge", ("version", "python"), "1 for the version that runs."),
    # Configuration: every outcome of a reload is visible.
    Metric(
        "executor_config_last_reload_successful",
        "gauge",
        (),
        "1 if the newest content of the config files is what runs, 0 while it is rejected.",
    ),
    Metric(
        "executor_config_last_reload_success_timestamp_seconds",
        "gauge",
        (),
        "Unix time at which the config files were last found valid.",
    ),
    Metric(
        "executor_config_reloads_total",
        "counter",
        ("trigger", "result"),
        "Reloads by trigger (start, watch, sighup, http) and result (applied, unchanged, rejected).",
    ),
    Metric(
        "executor_config_info",
        "gauge",
        ("sha256", "generation"),
        "1 for the running config; sha256 is over its effective content.",
    ),
    Metric("executor_config_errors", "gauge", (), "Errors in the newest content of the config files."),
    Metric(
        "executor_config_restart_required",
        "gauge",
        (),
        "Number of changed settings that only a restart applies.",
    ),
    # Serving.
    Metric("executor_requests_total", "counter", ("path", "status"), "HTTP requests by route and status."),
    Metric(
        "executor_request_seconds",
        "histogram",
        ("path",),
        "Time to answer a request, without streams.",
        QUICK,
    ),
    Metric(
        "executor_rate_limit_hits_total",
        "counter",
        ("limit",),
        "Requests, executions and tool calls refused by a rate limit, by its name.",
    ),
    Metric(
        "executor_http_connections", "gauge", ("state",), "Connections of clients by state (idle, slow, ...)."
    ),
    Metric(
        "executor_http_connections_ended_total",
        "counter",
        ("reason",),
        "Connections that were refused or ended because they were too many or too slow, by reason.",
    ),
    Metric(
        "executor_tls_certificate_expiry_timestamp_seconds",
        "gauge",
        ("file",),
        "When the certificate of `server.tls` that is served now ends, in seconds since 1970.",
    ),
    Metric(
        "executor_tls_handshake_failures_total",
        "counter",
        (),
        "TLS handshakes that failed: other protocols, old versions, clients without a certificate that is asked for.",
    ),
    Metric("executor_http_unread_bytes", "gauge", (), "Bytes of answers that clients have not read yet."),
    Metric("executor_descriptors", "gauge", ("kind",), "File descriptors of the process (used, limit)."),
    # Executions and what they call.
    Metric(
        "executor_executions_total",
        "counter",
        ("status",),
        "Finished executions by status (completed, failed, timeout, canceled).",
    ),
    Metric("executor_execution_seconds", "histogram", (), "Time of an execution, waiting included.", LONG),
    Metric(
        "executor_event_loop_tasks",
        "gauge",
        (),
        "asyncio tasks of this process; a number that only grows is a leak.",
    ),
    Metric(
        "executor_executions_running",
        "gauge",
        (),
        "Executions under way in this process, without paused ones.",
    ),
    Metric(
        "executor_executions_waiting",
        "gauge",
        (),
        "Executions that wait for a sandbox worker in this process: the queue.",
    ),
    Metric(
        "executor_approvals_pending",
        "gauge",
        (),
        "Executions that are paused until somebody decides, in the whole state store (the same figure on every "
        "replica); NaN while the store does not say.",
    ),
    Metric(
        "executor_approvals_oldest_pending_seconds",
        "gauge",
        (),
        "Age of the pause that ends first, by its deadline and `elicitation.approval_timeout`; 0 without any.",
    ),
    Metric(
        "executor_approval_decisions_total",
        "counter",
        ("action", "outcome"),
        "Decisions of people and models (accept, decline, cancel) by outcome (taken, or why it was refused).",
    ),
    Metric(
        "executor_tool_drift",
        "gauge",
        ("integration", "tool", "kind"),
        "1 for each tool that is not as executor.lock has it, by the kind of difference.",
    ),
    Metric(
        "executor_tool_calls_total",
        "counter",
        ("integration", "outcome"),
        "Inner calls by integration and outcome (ok, or the code of the error).",
    ),
    Metric("executor_tool_call_seconds", "histogram", ("integration",), "Time of an inner call.", QUICK),
    Metric(
        "executor_policy_decisions_total",
        "counter",
        ("action",),
        "Decisions on inner calls (approve, require_approval, block).",
    ),
    Metric(
        "executor_webhook_deliveries_total",
        "counter",
        ("outcome",),
        "Attempts to tell the approvals webhook of a pause (sent, retried, failed: given up).",
    ),
    Metric(
        "executor_audit_lines_total",
        "counter",
        ("outcome",),
        "Lines of the audit trail (written, lost: the sink did not take them).",
    ),
    Metric(
        "executor_task_failures_total",
        "counter",
        ("task",),
        "Failures of tasks that live as long as the server; each was logged, and the task started again.",
    ),
    Metric(
        "executor_loop_pause_seconds",
        "gauge",
        (),
        "Longest time in the last half minute (a minute at most) in which the event loop answered nobody.",
    ),
    Metric(
        "executor_file_read_failures_total",
        "counter",
        ("reason",),
        "Reads of files that hung (stuck: a mount that does not answer), or were refused because too many hang (busy).",
    ),
    Metric("executor_file_reads_stuck", "gauge", (), "Threads that hang in a read of a file now."),
    # The sandbox.
    Metric("executor_sandbox_workers", "gauge", ("state",), "Sandbox processes by state (warm, busy)."),
    Metric(
        "executor_sandbox_kills_total",
        "counter",
        ("reason",),
        "Executions that lost their worker, by reason (memory, cpu, crash, protocol, killed, and what the server "
        "itself ended it for: store, unavailable, diverged).",
    ),
    # Upstreams.
    Metric(
        "executor_connection_status",
        "gauge",
        ("connection", "status"),
        "1 for the status a connection has now (connected, failed, needs_auth, ...).",
    ),
    Metric(
        "executor_connection_healthy",
        "gauge",
        ("connection",),
        "1 if the last health probe of a connection went well, 0 if it failed; absent without a probe.",
    ),
    Metric(
        "executor_token_expiry_timestamp_seconds",
        "gauge",
        ("connection", "renewable"),
        "Unix time at which the shared OAuth token of a connection ends, as this process knows it; renewable ones "
        "(true) are renewed by the next call, for the others (false) somebody signs in again.",
    ),
    Metric(
        "executor_api_key_expiry_timestamp_seconds",
        "gauge",
        ("key",),
        "Unix time at which a key of `auth.api_keys.keys` with `expires` ends.",
    ),
    Metric(
        "executor_state_available",
        "gauge",
        (),
        "1 if the state store took a write when it was last asked, else 0.",
    ),
    Metric(
        "executor_state_outages_total", "counter", (), "Times that the state store stopped taking writes."
    ),
)

_Instrument = Counter | Gauge | Histogram


class MetricsRegistry:
    """The instruments of one start. A name that is not in the table is a defect and raises `KeyError`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._instruments = {metric.name: self._registered(metric) for metric in METRICS}
        self._labels: Mapping[str, tuple[str, ...]] = {metric.name: metric.labels for metric in METRICS}
        ProcessCollector(registry=self.registry)

    def _registered(self, metric: Metric) -> _Instrument:
        if metric.kind == "counter":
            return Counter(metric.name, metric.help, metric.labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
        return Histogram(
            metric.name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets
        )

    def count(self, name: str, amount: float = 1, /, **labels: str) -> None:
        instrument = self._child(name, labels)
        assert isinstance(instrument, Counter)
        instrument.inc(amount)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        instrument = self._child(name, labels)
        assert isinstance(instrument, Gauge)
        instrument.set(value)

    def add(self, name: str, amount: float, /, **labels: str) -> None:
        """Moves a gauge up or down."""
        instrument = self._child(name, labels)
        assert isinstance(instrument, Gauge)
        instrument.inc(amount)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        instrument = self._child(name, labels)
        assert isinstance(instrument, Histogram)
        instrument.observe(seconds)

    def begin(self, name: str, /, **labels: str) -> None:
        """Shows a series before anything happened: a counter that appears with its first event has no rate then."""
        self._child(name, labels)

    def only(
        self, name: str, value: float, /, *, within: Mapping[str, str] | None = None, **labels: str
    ) -> None:
        """Sets this series and drops the others of the metric, or those that have the labels of `within`.

        For info metrics, and for states: `only("executor_connection_status", 1,
        within={"connection": prefix}, connection=prefix, status="failed")`.
        """
        if within:
            self._instruments[name].remove_by_labels(dict(within))
        else:
            self._instruments[name].clear()
        self.set(name, value, **labels)

    def clear(self, name: str) -> None:
        """Drops every series of one metric: for gauges that are set anew before each rendering."""
        self._instruments[name].clear()

    def forget(self, **labels: str) -> None:
        """Drops every series that has all of these labels, in all metrics that know them."""
        for name, known in self._labels.items():
            if labels.keys() <= set(known):
                self._instruments[name].remove_by_labels(labels)

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def value(self, name: str, /, **labels: str) -> float | None:
        """One sample, for status pages; None if it was never set. Counters and gauges only."""
        return self.registry.get_sample_value(name, labels)

    def _child(self, name: str, labels: Mapping[str, str]) -> _Instrument:
        instrument = self._instruments[name]
        return instrument.labels(**labels) if labels or self._labels[name] else instrument
