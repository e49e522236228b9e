"""Results in the sqlite store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.results import ResultContract


class TestSqliteResults(ResultContract):
    pass
