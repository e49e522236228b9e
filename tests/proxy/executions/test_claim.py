"""One process's hold on one execution."""

from __future__ import annotations

import pytest

from proxy.executions.claim import ApprovalGone, Claim
from proxy.executions.journal import DispatchRecord, TimerRecord
from proxy.executions.protocol import Write
from proxy.state import Decision, ExecutionRecord, LeaseLost, MemoryState, Owner

OWNER = Owner("ws", "key:a")
FAR = 4_000_000_000.0


def claim(store: MemoryState) -> Claim:
    return Claim(store, ExecutionRecord("exec_1", OWNER, "running", 1.0, FAR, b"{}"))


async def test_what_only_reads_is_not_known_to_the_store() -> None:
    store = MemoryState()
    own = claim(store)
    await own.write([Write(TimerRecord(1.0))], guarded=False)
    assert not own.kept
    assert await store.find_execution("exec_1", "ws") is None


async def test_the_first_guarded_record_takes_the_lease_and_saves_the_execution() -> None:
    store = MemoryState()
    own = claim(store)
    await own.write([Write(DispatchRecord(0, "p", "d"))], guarded=True)
    assert own.kept
    assert own.lease is not None
    assert await store.find_execution("exec_1", "ws") == own.record
    with pytest.raises(LeaseLost):
        await claim(store).take()
    await own.release()
    await own.release()
    assert await store.lease_of("exec_1") is None


async def test_an_approval_is_used_once_for_all_calls_of_its_question() -> None:
    store = MemoryState()
    own = claim(store)
    await own.take()
    decision = Decision("exec_1", "int_1", OWNER, "b", FAR, b"{}")
    stored = await store.decide(decision)
    assert stored is not None
    own.decisions = {"int_1": stored}
    await own.write([Write(DispatchRecord(0, "p", "d"), "int_1")], guarded=True)
    await own.write([Write(DispatchRecord(1, "p", "d"), "int_1")], guarded=True)
    assert len(await store.read_journal("exec_1", OWNER)) == 2
    other = Claim(store, own.record, own.lease)
    other.decisions = own.decisions
    with pytest.raises(ApprovalGone):
        await other.write([Write(DispatchRecord(0, "p", "d"), "int_1")], guarded=True)


async def test_what_others_know_of_is_kept_from_its_first_record_on_and_begun_by_one() -> None:
    store = MemoryState()
    record = claim(store).record
    first, second = Claim(store, record, known=True), Claim(store, record, known=True)
    await first.write([Write(TimerRecord(1.0))], guarded=False)
    assert first.kept
    assert len(await store.read_journal("exec_1", OWNER)) == 1
    with pytest.raises(LeaseLost):
        await second.write([Write(TimerRecord(1.0))], guarded=False)
    await first.release()
    with pytest.raises(LeaseLost):
        await second.write([Write(TimerRecord(1.0))], guarded=False)
    assert await store.lease_of("exec_1") is None
