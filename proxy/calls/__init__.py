"""One inner call, from a path in agent code to an envelope."""

from proxy.calls.approval import Approval, Asking, Ready
from proxy.calls.call import Calls
from proxy.calls.outcome import Plain, Settlement, ToolDefect, WrongArgument
from proxy.calls.sending import CallLimits
from proxy.calls.system import PARAMETERS as SYSTEM_TOOLS
from proxy.calls.system import SystemTools
from proxy.calls.talking import Talk
from proxy.calls.watching import CallContext, CallLimiter, CallReport, CallSubject, Refusal

__all__ = [
    "SYSTEM_TOOLS",
    "Approval",
    "Asking",
    "CallContext",
    "CallLimiter",
    "CallLimits",
    "CallReport",
    "CallSubject",
    "Calls",
    "Plain",
    "Ready",
    "Refusal",
    "Settlement",
    "SystemTools",
    "Talk",
    "ToolDefect",
    "WrongArgument",
]
