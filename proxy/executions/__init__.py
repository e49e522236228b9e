"""From code to outcome."""

from proxy.executions.limits import ExecutionLimits, limits_from
from proxy.executions.outcome import ExecutionRequest, ExecutionResult, Observer
from proxy.executions.runner import ExecutionReport, Executions
from proxy.executions.schema import OUTPUT_SCHEMA

__all__ = [
    "OUTPUT_SCHEMA",
    "ExecutionLimits",
    "ExecutionReport",
    "ExecutionRequest",
    "ExecutionResult",
    "Executions",
    "Observer",
    "limits_from",
]
