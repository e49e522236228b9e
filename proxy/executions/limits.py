"""The limits of executions, read from the config they start with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proxy.config import Config
from proxy.executions.machine import MachineLimits


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """Bytes and milliseconds. `shown_result_bytes` bounds `structuredContent.result`, `result_bytes` what code may
    return at all, `log_bytes` and `emit_bytes` what it may write.
    """

    machine: MachineLimits = field(default_factory=MachineLimits)
    timeout_ms: float = 300_000.0
    max_timeout_ms: float = 600_000.0
    log_bytes: int = 256 * 1024
    emit_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 8 * 1024 * 1024
    shown_result_bytes: int = 256 * 1024
    result_ttl_seconds: float = 86_400.0
    approval_timeout_ms: float = 900_000.0
    execution_ttl_seconds: float = 86_400.0

    def for_request(self, timeout_ms: int | None) -> MachineLimits:
        """The machine's limits with the active time that was asked for, or the default, below the maximum."""
        asked = self.timeout_ms if timeout_ms is None else float(timeout_ms)
        return replace(self.machine, active_ms=min(asked, self.max_timeout_ms))


def limits_from(config: Config) -> ExecutionLimits:
    """`sandbox`, `execute` and `state` as the machine and the worker want them."""
    sandbox = config.sandbox
    machine = MachineLimits(calls=sandbox.max_tool_calls, parallel=sandbox.max_parallel_tool_calls)
    return ExecutionLimits(
        machine=machine,
        timeout_ms=sandbox.timeout * 1000,
        max_timeout_ms=sandbox.max_timeout * 1000,
        log_bytes=sandbox.max_output,
        shown_result_bytes=config.execute.max_result_bytes,
        result_ttl_seconds=config.state.execution_ttl,
        approval_timeout_ms=config.elicitation.approval_timeout * 1000,
        execution_ttl_seconds=config.state.execution_ttl,
    )
