"""Decisions in the redis store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.decisions import DecisionContract


class TestRedisDecisions(DecisionContract):
    pass
