"""From code to outcome."""

from proxy.executions.approvals import (
    CHOICES,
    REFUSALS,
    AskedBy,
    Choice,
    DecideOutcome,
    Decision,
    Elicit,
    ElicitAnswer,
    ExecutionView,
    Interaction,
    Page,
    Pending,
    Via,
)
from proxy.executions.limits import ExecutionLimits, limits_from
from proxy.executions.outcome import ExecutionRequest, ExecutionResult, Observer
from proxy.executions.driver import ExecutionReport, pauses
from proxy.executions.runner import Executions
from proxy.executions.schema import OUTPUT_SCHEMA

__all__ = [
    "CHOICES",
    "REFUSALS",
    "AskedBy",
    "Choice",
    "DecideOutcome",
    "Decision",
    "Elicit",
    "ElicitAnswer",
    "ExecutionView",
    "Interaction",
    "Page",
    "Pending",
    "Via",
    "OUTPUT_SCHEMA",
    "ExecutionLimits",
    "ExecutionReport",
    "ExecutionRequest",
    "ExecutionResult",
    "Executions",
    "Observer",
    "limits_from",
    "pauses",
]
