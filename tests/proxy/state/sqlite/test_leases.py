"""Leases in the sqlite store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.leases import LeaseContract


class TestSqliteLeases(LeaseContract):
    pass
