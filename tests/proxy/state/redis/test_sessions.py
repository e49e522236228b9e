"""Sessions in the redis store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.sessions import SessionContract


class TestRedisSessions(SessionContract):
    pass
