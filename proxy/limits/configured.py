"""From the `rate_limits` section to rules. Knows the section by its shape only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from policies import parse_pattern
from proxy.limits.rules import AppliesTo, LimitRule, Per, Rate


class ConfiguredRate(Protocol):
    """`100/minute`; `str()` gives it back as it is written."""

    @property
    def count(self) -> int: ...

    @property
    def period_seconds(self) -> int: ...


class ConfiguredLimit(Protocol):
    """One entry of the section; `wait` in seconds."""

    @property
    def per(self) -> Per: ...

    @property
    def applies_to(self) -> AppliesTo: ...

    @property
    def limit(self) -> ConfiguredRate: ...

    @property
    def burst(self) -> int | None: ...

    @property
    def pattern(self) -> str | None: ...

    @property
    def wait(self) -> float | None: ...

    @property
    def on_store_failure(self) -> Literal["allow", "deny"]: ...


def limit_rules(section: Mapping[str, ConfiguredLimit]) -> tuple[LimitRule, ...]:
    """The rules of a section, in its order."""
    return tuple(
        LimitRule(
            name=name,
            per=one.per,
            applies_to=one.applies_to,
            rate=Rate(one.limit.count, one.limit.period_seconds),
            pattern=one.pattern,
            burst=one.burst,
            wait_seconds=one.wait,
            on_store_failure=one.on_store_failure,
        )
        for name, one in section.items()
    )


def applying(section: Mapping[str, ConfiguredLimit], address: str) -> list[dict[str, Any]]:
    """The limits that count calls of this tool, for explanations: `{name, limit, per}`."""
    return [
        {"name": name, "limit": str(one.limit), "per": one.per}
        for name, one in section.items()
        if one.applies_to == "tool_calls"
        and (one.pattern is None or parse_pattern(one.pattern).matches(address))
    ]
