"""From code to outcome."""

from proxy.executions.approvals import (
    CHOICES,
    REFUSALS,
    AskedBy,
    Choice,
    DecideOutcome,
    Decision,
    ExecutionView,
    Interaction,
    Page,
    Pending,
    Via,
)
from proxy.executions.deciding import DecisionReport
from proxy.executions.limits import ExecutionLimits, limits_from
from proxy.executions.outcome import SILENT, ExecutionRequest, ExecutionResult, Observer, Silent
from proxy.executions.reports import ExecutionReport
from proxy.executions.runner import Executions
from proxy.executions.schema import OUTPUT_SCHEMA
from proxy.executions.topics import pauses

__all__ = [
    "CHOICES",
    "OUTPUT_SCHEMA",
    "REFUSALS",
    "SILENT",
    "AskedBy",
    "Choice",
    "DecideOutcome",
    "Decision",
    "DecisionReport",
    "ExecutionLimits",
    "ExecutionReport",
    "ExecutionRequest",
    "ExecutionResult",
    "ExecutionView",
    "Executions",
    "Interaction",
    "Observer",
    "Page",
    "Pending",
    "Silent",
    "Via",
    "limits_from",
    "pauses",
]
