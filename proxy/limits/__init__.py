"""Rate limits: named, additive, counted per principal or target, over the `limits` package."""

from proxy.limits.configured import applying, limit_rules
from proxy.limits.limiter import Denied, Limits
from proxy.limits.rules import DEFAULT_LIMITS, AppliesTo, LimitRule, LimitSubject, Per, Rate
from proxy.limits.storage import MemoryWindows, open_storage

__all__ = [
    "DEFAULT_LIMITS",
    "AppliesTo",
    "Denied",
    "LimitRule",
    "LimitSubject",
    "Limits",
    "MemoryWindows",
    "Per",
    "Rate",
    "applying",
    "limit_rules",
    "open_storage",
]
