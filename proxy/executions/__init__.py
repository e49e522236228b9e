"""From code to outcome."""

from proxy.executions.context import ExecutionLimits, limits_from
from proxy.executions.decisions import DecisionReport
from proxy.executions.finish import ExecutionReport, ExecutionStart
from proxy.executions.interactions import (
    ELICIT_ACTIONS,
    REFUSALS,
    DecideOutcome,
    DecisionRefusal,
    ExecutionPage,
    ExecutionView,
    Interaction,
    InteractionDecision,
    Pending,
    Via,
)
from proxy.executions.lease import pauses
from proxy.executions.machine.events import LOST_CALL_OUTCOMES
from proxy.executions.machine.journal import AskedBy
from proxy.executions.result import SILENT, ExecutionRequest, ExecutionResult, Observer, Silent
from proxy.executions.result_schema import OUTPUT_SCHEMA
from proxy.executions.service import ExecutionOptions, Executions

__all__ = [
    "ELICIT_ACTIONS",
    "LOST_CALL_OUTCOMES",
    "OUTPUT_SCHEMA",
    "REFUSALS",
    "SILENT",
    "AskedBy",
    "DecideOutcome",
    "DecisionRefusal",
    "DecisionReport",
    "ExecutionLimits",
    "ExecutionOptions",
    "ExecutionPage",
    "ExecutionReport",
    "ExecutionRequest",
    "ExecutionResult",
    "ExecutionStart",
    "ExecutionView",
    "Executions",
    "Interaction",
    "InteractionDecision",
    "Observer",
    "Pending",
    "Silent",
    "Via",
    "limits_from",
    "pauses",
]
