"""One inner call, from a path in agent code to an envelope."""

from proxy.calls.approval import Approval, ApprovalNeeded, Ready
from proxy.calls.call import Calls
from proxy.calls.catalog_thread import WorkBudget
from proxy.calls.conversation import Talk
from proxy.calls.outcome import (
    CallContext,
    CallLimiter,
    CallReport,
    CallSubject,
    LimitRefusal,
    PlainValue,
    Settlement,
    ToolDefect,
    WrongArgument,
)
from proxy.calls.sending import CallLimits
from proxy.calls.system import PARAMETERS as SYSTEM_TOOLS
from proxy.calls.system import SystemTools

__all__ = [
    "SYSTEM_TOOLS",
    "Approval",
    "ApprovalNeeded",
    "CallContext",
    "CallLimiter",
    "CallLimits",
    "CallReport",
    "CallSubject",
    "Calls",
    "LimitRefusal",
    "PlainValue",
    "Ready",
    "Settlement",
    "SystemTools",
    "Talk",
    "ToolDefect",
    "WorkBudget",
    "WrongArgument",
]
