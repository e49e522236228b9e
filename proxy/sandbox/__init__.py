"""Runs agent code in worker processes that hold nothing worth stealing."""

from proxy.sandbox.messages import (
    MOST_CALLS,
    Blocked,
    Delivery,
    Done,
    ResultDelivery,
    SandboxError,
    SandboxLimits,
    StartMessage,
    TimerDelivery,
    ToolCall,
    WorkerMessage,
)
from proxy.sandbox.options import (
    HardeningMissing,
    HardeningReport,
    PoolBusy,
    PoolOptions,
    PoolStats,
    PoolUnavailable,
)
from proxy.sandbox.pool import Pool
from proxy.sandbox.remote import Worker, WorkerGone

__all__ = [
    "MOST_CALLS",
    "Blocked",
    "Delivery",
    "Done",
    "HardeningMissing",
    "HardeningReport",
    "Pool",
    "PoolBusy",
    "PoolOptions",
    "PoolStats",
    "PoolUnavailable",
    "ResultDelivery",
    "SandboxError",
    "SandboxLimits",
    "StartMessage",
    "TimerDelivery",
    "ToolCall",
    "Worker",
    "WorkerGone",
    "WorkerMessage",
]
