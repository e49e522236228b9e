"""Runs agent code in worker processes that hold nothing worth stealing."""

from proxy.sandbox.messages import (
    Blocked,
    Delivery,
    Done,
    Limits,
    ResultDelivery,
    SandboxError,
    StartMessage,
    TimerDelivery,
    ToolCall,
    WorkerMessage,
)
from proxy.sandbox.options import (
    Hardening,
    HardeningMissing,
    PoolBusy,
    PoolOptions,
    PoolStats,
    PoolUnavailable,
)
from proxy.sandbox.pool import Pool
from proxy.sandbox.remote import Worker, WorkerGone

__all__ = [
    "Blocked",
    "Delivery",
    "Done",
    "Hardening",
    "HardeningMissing",
    "Limits",
    "Pool",
    "PoolBusy",
    "PoolOptions",
    "PoolStats",
    "PoolUnavailable",
    "ResultDelivery",
    "SandboxError",
    "StartMessage",
    "TimerDelivery",
    "ToolCall",
    "Worker",
    "WorkerGone",
    "WorkerMessage",
]
