"""What audit and metrics hear about an execution that is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.executions.outcome import ExecutionResult
from proxy.executions.stretch import Stretch
from proxy.principal import Principal


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One execution that is over, for audit and metrics. `lost` says how its worker died, if it did."""

    execution_id: str
    principal: Principal
    code_sha256: str
    session_id: str | None
    metadata: Mapping[str, Any]
    status: str
    lost: str | None
    calls: int
    duration_ms: float
    generation: int


OnExecution = Callable[[ExecutionReport], None]


def report_of(stretch: Stretch, result: ExecutionResult, lost: str | None) -> ExecutionReport:
    """The report on the last stretch of an execution."""
    return ExecutionReport(
        execution_id=result.execution_id,
        principal=stretch.job.principal,
        code_sha256=stretch.body.code_sha256,
        session_id=stretch.request.session_id,
        metadata=stretch.request.metadata,
        status=result.status,
        lost=lost,
        calls=sum(one.code != "not_sent" for one in result.calls),
        duration_ms=result.duration_ms,
        generation=stretch.job.generation.number,
    )
