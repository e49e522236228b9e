"""What a running application says about itself: how it logs, and what it counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from proxy.calls import CallReport
from proxy.config import Config
from proxy.executions import DecisionReport, ExecutionReport
from proxy.telemetry import Metrics, configure_logging

Report = TypeVar("Report")


def set_logging(config: Config, env: Mapping[str, str]) -> None:
    """Logs as the config says; `EXECUTOR_MCP_DEBUG` adds what the protocol library says (seed 002)."""
    log = config.telemetry.log
    debug = env.get("EXECUTOR_MCP_DEBUG", "").lower() in ("1", "true")
    configure_logging(log.level, log.format, protocol_debug=debug)


def all_of(*listeners: Callable[[Report], None]) -> Callable[[Report], None]:
    """One callback that tells all of these, in this order."""

    def tell(report: Report) -> None:
        for listener in listeners:
            listener(report)

    return tell


class Counts:
    """Turns reports into metrics. Its methods are the callbacks of executions, calls and limits."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def limit_hit(self, name: str) -> None:
        self._metrics.count("executor_rate_limit_hits_total", limit=name)

    def executed(self, report: ExecutionReport) -> None:
        self._metrics.count("executor_executions_total", status=report.status)
        self._metrics.observe("executor_execution_seconds", report.duration_ms / 1000)
        if report.lost is not None:
            self._metrics.count("executor_sandbox_kills_total", reason=report.lost)

    def decided(self, report: DecisionReport) -> None:
        outcome = report.refused or "taken"
        self._metrics.count("executor_approval_decisions_total", action=report.action, outcome=outcome)

    def called(self, report: CallReport) -> None:
        integration = report.integration or "unknown"
        self._metrics.count("executor_tool_calls_total", integration=integration, outcome=report.code or "ok")
        self._metrics.observe(
            "executor_tool_call_seconds", report.milliseconds / 1000, integration=integration
        )
        if report.decision is not None:
            self._metrics.count("executor_policy_decisions_total", action=report.decision.action)
