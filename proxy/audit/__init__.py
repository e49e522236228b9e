"""The audit trail: one JSON line for everything that was done, who did it, and which decision allowed it.

Lines are written and never read back by the server.

events      what a line says, as values
redaction   arguments as a line may show them
chain       each line carries the digest of the line before it
sinks       a file, or stdout
trail       a thread that writes lines, in batches
reading     lines back from a file, for `executor audit`
"""

from proxy.audit.chain import GENESIS, Chain, ChainVerdict, verify
from proxy.audit.events import (
    ApprovalEvent,
    AuditEvent,
    AuthFailureEvent,
    CallEvent,
    ExecutionEvent,
    ReloadEvent,
    ServerEvent,
    Who,
)
from proxy.audit.reading import AuditFilter, AuditLine, find
from proxy.audit.redaction import Redaction
from proxy.audit.sinks import AuditError, FileSink, Sink, StreamSink
from proxy.audit.trail import AuditTrail

__all__ = [
    "GENESIS",
    "ApprovalEvent",
    "AuditError",
    "AuditEvent",
    "AuditFilter",
    "AuditLine",
    "AuditTrail",
    "AuthFailureEvent",
    "CallEvent",
    "Chain",
    "ChainVerdict",
    "ExecutionEvent",
    "FileSink",
    "Redaction",
    "ReloadEvent",
    "ServerEvent",
    "Sink",
    "StreamSink",
    "Who",
    "find",
    "verify",
]
