"""From the `rate_limits` section to rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies import parse_pattern
from proxy.config.model import RateLimit
from proxy.limits.rules import LimitRule, RateWindow


def limit_rules(section: Mapping[str, RateLimit]) -> tuple[LimitRule, ...]:
    """The rules of a section, in its order."""
    return tuple(
        LimitRule(
            name=name,
            per=one.per,
            applies_to=one.applies_to,
            rate=RateWindow(one.limit.count, one.limit.period_seconds),
            pattern=one.pattern,
            burst=one.burst,
            wait_seconds=one.wait,
            on_store_failure=one.on_store_failure,
        )
        for name, one in section.items()
    )


def applying(section: Mapping[str, RateLimit], address: str) -> list[dict[str, Any]]:
    """The limits that count calls of this tool, for explanations: `{name, limit, per}`."""
    return [
        {"name": name, "limit": str(one.limit), "per": one.per}
        for name, one in section.items()
        if one.applies_to == "tool_calls"
        and (one.pattern is None or parse_pattern(one.pattern).matches(address))
    ]
