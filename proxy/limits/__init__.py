"""RateWindow limits: named, additive, counted per principal or target, over the `limits` package."""

from proxy.limits.configured import applying, limit_rules, rules_of
from proxy.limits.credentials import BadCredentials
from proxy.limits.limiter import Denied, RateLimiter
from proxy.limits.rules import LimitRule, LimitSubject, RateWindow
from proxy.limits.storage import MemoryWindows, open_storage

__all__ = [
    "BadCredentials",
    "Denied",
    "LimitRule",
    "LimitSubject",
    "MemoryWindows",
    "RateLimiter",
    "RateWindow",
    "applying",
    "limit_rules",
    "open_storage",
    "rules_of",
]
