"""Reports as calls and executions make them."""

from __future__ import annotations

from typing import Any

from policies import Considered, Decision
from policies.rules import Action
from proxy.calls import CallContext, CallReport
from proxy.executions import ExecutionReport
from proxy.executions.result import ExecutionResult
from proxy.principal import Principal

ANN = Principal("ws", "user:ann", "user")
BOB = Principal("ws", "user:bob", "user")


def decision(rule: str, source: str, action: Action = "approve", *skipped: tuple[str, str]) -> Decision:
    """A decision by one rule; others were skipped."""
    rows = [Considered(name, place, "block", "skipped", "not for you") for name, place in skipped]
    return Decision(action, rule, source, considered=(*rows, Considered(rule, source, action, "decided")))


def call(
    execution: str = "exec_a",
    seq: int = 0,
    path: str = "shop.org.main.items.list",
    *,
    who: Principal = ANN,
    code: str | None = None,
    ms: float = 10.0,
    by: Decision | None = None,
) -> CallReport:
    return CallReport(
        CallContext(execution, None, seq), who, path, path, "shop", None, by, code, ms, 1, result_bytes=20
    )


def end(
    execution: str = "exec_a", *, who: Principal = ANN, code: str = "return 1", **changes: Any
) -> ExecutionReport:
    result = ExecutionResult(
        execution, "completed", who.workspace_id, who.account_id, has_result=True, result=1, result_text="1"
    )
    given = {"status": "completed", "began_ms": 1000.0, "result": result, **changes}
    return ExecutionReport(
        execution,
        who,
        "sha",
        None,
        {},
        given["status"],
        None,
        1,
        50.0,
        1,
        code,
        given["began_ms"],
        given["result"],
    )
