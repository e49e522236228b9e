"""Executions in the redis store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.executions import ExecutionContract


class TestRedisExecutions(ExecutionContract):
    pass
