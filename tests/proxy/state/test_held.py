"""What is held back: order, bounds, and journals in doubt."""

from __future__ import annotations

import asyncio

import pytest

from proxy.state import Conflict, JournalFull, StateUnavailable
from proxy.state.held import Held
from tests.proxy.state.stores import ALICE, BOB


def test_records_are_kept_by_journal_and_owner() -> None:
    held = Held()
    assert held.add("e1", ALICE, [b"1"])
    assert held.add("e1", ALICE, [b"2", b"3"])
    assert held.add("e1", BOB, [b"x"])
    assert held.of("e1", ALICE) == (b"1", b"2", b"3")
    assert held.of("e2", ALICE) == ()


def test_over_its_bound_it_takes_nothing() -> None:
    held = Held(max_bytes=4)
    assert held.add("e1", ALICE, [b"123"])
    assert not held.add("e2", ALICE, [b"45"])
    held.drop("e1", ALICE)
    assert held.add("e2", ALICE, [b"45"])
    assert held.bytes == 2


def test_writing_takes_what_is_held() -> None:
    held = Held()
    held.add("e1", ALICE, [b"1"])
    with held.writing("e1", ALICE) as carried:
        assert carried == (b"1",)
    assert held.of("e1", ALICE) == ()
    assert held.bytes == 0


def test_a_refusal_keeps_it() -> None:
    held = Held()
    held.add("e1", ALICE, [b"1"])
    with pytest.raises(JournalFull), held.writing("e1", ALICE):
        raise JournalFull
    assert held.of("e1", ALICE) == (b"1",)
    assert held.bytes == 1


@pytest.mark.parametrize("error", [StateUnavailable, asyncio.CancelledError, KeyError])
def test_after_anything_else_the_journal_is_in_doubt_until_it_is_read(error: type[BaseException]) -> None:
    held = Held()
    held.add("e1", ALICE, [b"1"])
    with pytest.raises(error), held.writing("e1", ALICE):
        raise error
    with pytest.raises(Conflict):
        held.add("e1", ALICE, [b"2"])
    with pytest.raises(Conflict), held.writing("e1", ALICE):
        pass
    assert held.add("e1", BOB, [b"2"])
    held.settled("e1", ALICE)
    assert held.add("e1", ALICE, [b"2"])
    assert held.of("e1", ALICE) == (b"2",)


def test_a_dropped_journal_is_not_in_doubt() -> None:
    held = Held()
    with pytest.raises(StateUnavailable), held.writing("e1", ALICE):
        raise StateUnavailable
    held.drop("e1", ALICE)
    assert held.add("e1", ALICE, [b"1"])


def test_dropping_tells_whether_some_did_not_fit_and_was_written() -> None:
    held = Held(max_bytes=2)
    assert held.add("e1", ALICE, [b"1"])
    assert not held.drop("e1", ALICE)
    assert not held.add("e1", ALICE, [b"123"])
    assert not held.drop("e1", BOB)
    assert held.drop("e1", ALICE)
    assert not held.drop("e1", ALICE)


def test_reading_a_journal_that_is_not_in_doubt_keeps_what_is_held() -> None:
    held = Held()
    held.add("e1", ALICE, [b"1"])
    held.settled("e1", ALICE)
    assert held.of("e1", ALICE) == (b"1",)
