"""One process's hold on one execution."""

from __future__ import annotations

import pytest

from proxy.executions.lease import ApprovalGone, ExecutionLease, pauses, topic
from proxy.executions.machine.events import WriteRecord
from proxy.executions.machine.journal import DispatchRecord, TimerRecord
from proxy.state import DecisionRecord, ExecutionRecord, LeaseLost, MemoryState, Owner

OWNER = Owner("ws", "key:a")
FAR = 4_000_000_000.0


def lease_on(store: MemoryState) -> ExecutionLease:
    return ExecutionLease(store, ExecutionRecord("exec_1", OWNER, "running", 1.0, FAR, b"{}"))


async def test_what_only_reads_is_not_known_to_the_store() -> None:
    store = MemoryState()
    own = lease_on(store)
    await own.write([WriteRecord(TimerRecord(1.0))], guarded=False)
    assert not own.is_stored
    assert await store.find_execution("exec_1", "ws") is None


async def test_the_first_guarded_record_takes_the_lease_and_saves_the_execution() -> None:
    store = MemoryState()
    own = lease_on(store)
    await own.write([WriteRecord(DispatchRecord(0, "p", "d"))], guarded=True)
    assert own.is_stored
    assert own.lease is not None
    assert await store.find_execution("exec_1", "ws") == own.record
    with pytest.raises(LeaseLost):
        await lease_on(store).acquire()
    await own.release()
    await own.release()
    assert await store.lease_of("exec_1") is None


async def test_an_approval_is_used_once_for_all_calls_of_its_question() -> None:
    store = MemoryState()
    own = lease_on(store)
    await own.acquire()
    decision = DecisionRecord("exec_1", "int_1", OWNER, "b", FAR, b"{}")
    stored = await store.decide(decision)
    assert stored is not None
    own.decided({"int_1": stored})
    await own.write([WriteRecord(DispatchRecord(0, "p", "d"), "int_1")], guarded=True)
    await own.write([WriteRecord(DispatchRecord(1, "p", "d"), "int_1")], guarded=True)
    assert len(await store.read_journal("exec_1", OWNER)) == 2
    other = ExecutionLease(store, own.record, own.lease)
    other.decided({"int_1": stored})
    with pytest.raises(ApprovalGone):
        await other.write([WriteRecord(DispatchRecord(0, "p", "d"), "int_1")], guarded=True)


async def test_what_others_know_of_is_kept_from_its_first_record_on_and_begun_by_one() -> None:
    store = MemoryState()
    record = lease_on(store).record
    first, second = (
        ExecutionLease(store, record, announced=True),
        ExecutionLease(store, record, announced=True),
    )
    await first.write([WriteRecord(TimerRecord(1.0))], guarded=False)
    assert first.is_stored
    assert len(await store.read_journal("exec_1", OWNER)) == 1
    with pytest.raises(LeaseLost):
        await second.write([WriteRecord(TimerRecord(1.0))], guarded=False)
    await first.release()
    with pytest.raises(LeaseLost):
        await second.write([WriteRecord(TimerRecord(1.0))], guarded=False)
    assert await store.lease_of("exec_1") is None


def test_topics_are_apart() -> None:
    assert topic("x") != pauses("x")
