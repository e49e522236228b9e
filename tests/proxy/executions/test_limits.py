"""Limits come from the config that an execution starts with."""

from __future__ import annotations

from proxy.config import Config
from proxy.executions.limits import ExecutionLimits, limits_from


def test_the_config_decides() -> None:
    config = Config.model_validate(
        {
            "version": 1,
            "sandbox": {
                "timeout": "10s",
                "max_timeout": "20s",
                "max_tool_calls": 5,
                "max_parallel_tool_calls": 2,
            },
            "execute": {"max_result_bytes": "4KiB"},
        }
    )
    limits = limits_from(config)
    assert (limits.timeout_ms, limits.max_timeout_ms) == (10_000, 20_000)
    assert (limits.machine.calls, limits.machine.parallel) == (5, 2)
    assert limits.shown_result_bytes == 4096


def test_a_request_may_ask_for_less_or_more_up_to_the_maximum() -> None:
    limits = ExecutionLimits(timeout_ms=10_000, max_timeout_ms=20_000)
    assert limits.for_request(None).active_ms == 10_000
    assert limits.for_request(500).active_ms == 500
    assert limits.for_request(60_000).active_ms == 20_000
