"""Lists leave out what no key opens, and say so."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import pytest

from proxy.state import Lease, LeaseLost, StateUnreadable
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Row, check_lease, readable
from proxy.state.sqlite.schema import migrate
from tests.proxy.support import logged


def test_unreadable_rows_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def made(row: Row) -> int:
        if row[0] == 2:
            raise StateUnreadable("the stored token was encrypted with key 0badcafe")
        return int(row[0])

    with caplog.at_level(logging.WARNING):
        assert readable([(1,), (2,), (3,)], made) == (1, 3)
    assert "0badcafe" in logged(caplog)


def test_no_lease_is_asked_for_when_none_is_given() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        check_lease(Tx(db, 0.0), None)
        with pytest.raises(LeaseLost, match="e1 is no longer held by a"):
            check_lease(Tx(db, 0.0), Lease("e1", "a", 1, 10.0))
