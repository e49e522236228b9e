"""Entries in the sqlite store keep the contract."""

from __future__ import annotations

from tests.proxy.state.contract.entries import EntryContract


class TestSqliteEntries(EntryContract):
    pass
