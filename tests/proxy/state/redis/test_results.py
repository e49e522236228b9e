"""Results in the redis store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.results import ResultContract


class TestRedisResults(ResultContract):
    pass
