"""Journals and results in memory: order, owners, age and bytes."""

from __future__ import annotations

import threading

import pytest

from proxy.state import MemoryCaps, MemoryState, Owner
from proxy.state.memory import JournalFull
from tests.proxy.state.contract.decisions import DecisionContract
from tests.proxy.state.contract.entries import EntryContract
from tests.proxy.state.contract.executions import ExecutionContract
from tests.proxy.state.contract.journals import JournalContract
from tests.proxy.state.contract.leases import LeaseContract
from tests.proxy.state.contract.results import ResultContract
from tests.proxy.state.contract.sessions import SessionContract
from tests.proxy.state.contract.whole import WholeContract

ALICE = Owner("one", "key:alice")
BOB = Owner("one", "key:bob")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_journal_keeps_the_order_of_writing() -> None:
    state = MemoryState()
    await state.append_journal("e1", ALICE, [b"1", b"2"])
    await state.append_journal("e2", ALICE, [b"x"])
    await state.append_journal("e1", ALICE, [b"3"])
    assert await state.read_journal("e1", ALICE) == (b"1", b"2", b"3")


async def test_a_journal_is_its_owners_only() -> None:
    state = MemoryState()
    await state.append_journal("e1", ALICE, [b"1"])
    assert await state.read_journal("e1", BOB) == ()
    assert await state.read_journal("nothing", ALICE) == ()


async def test_the_oldest_journals_go_first() -> None:
    state = MemoryState(MemoryCaps(journal_bytes=10))
    await state.append_journal("e1", ALICE, [b"12345"])
    await state.append_journal("e2", ALICE, [b"12345"])
    await state.append_journal("e1", ALICE, [b"x"])
    assert await state.read_journal("e2", ALICE) == ()
    assert await state.read_journal("e1", ALICE) == (b"12345", b"x")


async def test_a_journal_that_cannot_fit_is_an_error() -> None:
    state = MemoryState(MemoryCaps(journal_bytes=4))
    with pytest.raises(JournalFull):
        await state.append_journal("e1", ALICE, [b"12345"])


async def test_journals_expire() -> None:
    clock = Clock()
    state = MemoryState(MemoryCaps(journal_ttl_seconds=5), clock)
    await state.append_journal("e1", ALICE, [b"1"])
    clock.now = 6
    assert await state.read_journal("e1", ALICE) == ()


async def test_a_result_is_read_back_by_its_owner_until_it_expires() -> None:
    clock = Clock()
    state = MemoryState(clock=clock)
    ref = await state.put_result(ALICE, b"[1]", 10)
    assert ref is not None
    assert ref.startswith("res_")
    assert len(ref) == 4 + 32
    assert await state.get_result(ALICE, ref) == b"[1]"
    assert await state.get_result(BOB, ref) is None
    clock.now = 10
    assert await state.get_result(ALICE, ref) is None


async def test_a_result_larger_than_a_share_is_not_kept() -> None:
    state = MemoryState(MemoryCaps(owner_result_bytes=4))
    assert await state.put_result(ALICE, b"12345", 10) is None


async def test_an_owner_pushes_out_only_its_own_results() -> None:
    state = MemoryState(MemoryCaps(owner_result_bytes=4, result_bytes=100))
    bobs = await state.put_result(BOB, b"bob", 10)
    first = await state.put_result(ALICE, b"123", 10)
    second = await state.put_result(ALICE, b"456", 10)
    assert bobs is not None
    assert first is not None
    assert second is not None
    assert await state.get_result(BOB, bobs) == b"bob"
    assert await state.get_result(ALICE, first) is None
    assert await state.get_result(ALICE, second) == b"456"


async def test_the_whole_store_is_bounded() -> None:
    state = MemoryState(MemoryCaps(owner_result_bytes=4, result_bytes=6))
    refs = [await state.put_result(Owner("w", f"key:{n}"), b"123", 10) for n in range(3)]
    kept = [await state.get_result(Owner("w", f"key:{n}"), ref or "") for n, ref in enumerate(refs)]
    assert kept == [None, b"123", b"123"]


def test_a_store_may_be_collected_in_any_thread() -> None:
    """What cannot be closed would be reported by the hook for unraisable errors, which fails the test."""
    held = [MemoryState()]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert held == []


class TestMemory(
    JournalContract,
    ResultContract,
    ExecutionContract,
    DecisionContract,
    SessionContract,
    LeaseContract,
    EntryContract,
    WholeContract,
):
    pass
