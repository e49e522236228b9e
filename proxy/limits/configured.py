"""From the `rate_limits` section to rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.fields import RateValue
from policies import parse_pattern
from proxy.config import Config
from proxy.config.model import RateLimit
from proxy.limits.rules import SHORT_WAIT_SECONDS, LimitRule, RateWindow


def rules_of(config: Config) -> tuple[LimitRule, ...]:
    """The rules of a config; without `rate_limits` it has a built-in one."""
    own = {
        name: {
            space: one.rate_limits[name]
            for space, one in config.workspaces.items()
            if name in one.rate_limits
        }
        for name in config.rate_limits
    }
    return limit_rules(config.rate_limits, own, built_in="rate_limits" not in config.model_fields_set)


def limit_rules(
    section: Mapping[str, RateLimit],
    workspaces: Mapping[str, Mapping[str, RateValue]] | None = None,
    *,
    built_in: bool = False,
) -> tuple[LimitRule, ...]:
    """The rules of a section, in its order. `workspaces`: rates of their own, by limit and workspace."""
    own = workspaces or {}
    return tuple(
        LimitRule(
            name=name,
            per=one.per,
            applies_to=one.applies_to,
            rate=_window(one.limit),
            pattern=one.pattern,
            burst=one.burst,
            wait_seconds=SHORT_WAIT_SECONDS if one.wait is None else one.wait,
            on_store_failure=one.on_store_failure,
            workspaces={space: _window(rate) for space, rate in own.get(name, {}).items()},
            built_in=built_in,
            as_result=one.respond == "tool_error",
        )
        for name, one in section.items()
    )


def _window(rate: RateValue) -> RateWindow:
    return RateWindow(rate.count, rate.period_seconds)


def applying(section: Mapping[str, RateLimit], address: str) -> list[dict[str, Any]]:
    """The limits that count calls of this tool, for explanations: `{name, limit, per}`."""
    return [
        {"name": name, "limit": str(one.limit), "per": one.per}
        for name, one in section.items()
        if one.applies_to == "tool_calls"
        and (one.pattern is None or parse_pattern(one.pattern).matches(address))
    ]
