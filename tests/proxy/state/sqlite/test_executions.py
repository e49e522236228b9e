"""Executions in the sqlite store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.executions import ExecutionContract


class TestSqliteExecutions(ExecutionContract):
    pass
