"""Journals in the redis store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.journals import JournalContract


class TestRedisJournals(JournalContract):
    pass
