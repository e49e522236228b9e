"""The audit trail: one JSON line for everything that was done, and by whose leave. Lines only go out.

events      what a line says, as values
redaction   arguments as a line may show them
chain       each line carries the digest of the line before it
sinks       a file, or stdout
trail       a thread that writes lines, in batches
reading     lines back from a file, for `executor audit`
"""

from proxy.audit.chain import GENESIS, Chain, Verdict, verify
from proxy.audit.events import (
    ApprovalEvent,
    AuthFailureEvent,
    CallEvent,
    Event,
    ExecutionEvent,
    ReloadEvent,
    Who,
)
from proxy.audit.reading import Filter, Line, find
from proxy.audit.redaction import ArgumentsMode, Redaction
from proxy.audit.sinks import AuditError, FileSink, Sink, StreamSink
from proxy.audit.trail import Trail

__all__ = [
    "GENESIS",
    "ApprovalEvent",
    "ArgumentsMode",
    "AuditError",
    "AuthFailureEvent",
    "CallEvent",
    "Chain",
    "Event",
    "ExecutionEvent",
    "FileSink",
    "Filter",
    "Line",
    "Redaction",
    "ReloadEvent",
    "Sink",
    "StreamSink",
    "Trail",
    "Verdict",
    "Who",
    "find",
    "verify",
]
