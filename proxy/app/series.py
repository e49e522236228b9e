"""Series that are shown before anything happened: every label value that is known beforehand, at 0.

A counter that appears with its first event has no rate and no increase for that event, so an alert would miss it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from itertools import product
from typing import Final, get_args

from integrations.conversation import ElicitAction
from policies import Action
from proxy.executions import DecisionRefusal
from proxy.executions.machine.events import LostReason, Status
from proxy.limits import rules_of
from proxy.limits.credentials import BUILT_IN
from proxy.live import ReloadResult
from proxy.reload.decisions import Trigger
from proxy.serving.http.held import EndReason
from proxy.tasks import TASKS
from proxy.telemetry import MetricsRegistry
from proxy.workspace import Generation

# Routes that answer calls, as admission names them; their statuses besides 200 are the ones worth an alert.
_ROUTES: Final = ("mcp", "v1", "anonymous", "workspace", "api")
_STATUSES: Final = ("200", "401", "429", "500", "503")
# What an upstream does wrong, or its authorization server; an outcome that agents bring about appears when it happens.
_UPSTREAM: Final = (
    "ok",
    "upstream_http_error",
    "upstream_timeout",
    "upstream_unreachable",
    "connection_rejected",
    "oauth_reauth_required",
    "oauth_refresh_failed",
)

KNOWN: Final[tuple[tuple[str, dict[str, tuple[str, ...]]], ...]] = (
    ("executor_config_reloads_total", {"trigger": get_args(Trigger), "result": get_args(ReloadResult)}),
    ("executor_requests_total", {"path": _ROUTES, "status": _STATUSES}),
    ("executor_request_seconds", {"path": _ROUTES}),
    ("executor_http_connections_ended_total", {"reason": get_args(EndReason)}),
    ("executor_tls_handshake_failures_total", {}),
    ("executor_executions_total", {"status": get_args(Status)}),
    ("executor_sandbox_kills_total", {"reason": get_args(LostReason)}),
    (
        "executor_approval_decisions_total",
        {"action": get_args(ElicitAction), "outcome": ("taken", *get_args(DecisionRefusal))},
    ),
    ("executor_policy_decisions_total", {"action": get_args(Action)}),
    ("executor_webhook_deliveries_total", {"outcome": ("sent", "retried", "failed")}),
    ("executor_audit_lines_total", {"outcome": ("written", "lost")}),
    ("executor_task_failures_total", {"task": tuple(TASKS)}),
    ("executor_file_read_failures_total", {"reason": ("stuck", "busy")}),
    ("executor_sandbox_workers", {"state": ("warm", "busy")}),
)
"""Metric, and the known values of each of its labels. Those of the config's names are in `named`."""


def begin(metrics: MetricsRegistry) -> None:
    """Once at the start: what runs, and everything that a version knows by itself."""
    metrics.only(
        "executor_build_info",
        1,
        version=metadata.version("executor-proxy"),
        python=platform.python_version(),
    )
    for name, labels in KNOWN:
        for values in product(*labels.values()):
            metrics.begin(name, **dict(zip(labels, values, strict=True)))


def begin_named(metrics: MetricsRegistry, generation: Generation) -> None:
    """After each swap: the names in the config."""
    for name, labels in named(generation):
        metrics.begin(name, **labels)


def named(generation: Generation) -> Iterator[tuple[str, dict[str, str]]]:
    """Series of the integrations and limits of a config."""
    for integration in (*generation.config.integrations, "system"):
        yield "executor_tool_call_seconds", {"integration": integration}
        for outcome in _UPSTREAM:
            yield "executor_tool_calls_total", {"integration": integration, "outcome": outcome}
    for rule in rules_of(generation.config):
        yield "executor_rate_limit_hits_total", {"limit": rule.name}
    yield "executor_rate_limit_hits_total", {"limit": BUILT_IN.name}
