"""What every store promises about journals."""

from __future__ import annotations

import pytest

from proxy.state import Caps, Conflict, JournalFull, Lease, LeaseLost
from proxy.state.held import MAX_HELD_BYTES
from tests.proxy.state.stores import ALICE, BOB, EVE, Clock, Stores, record


class JournalContract:
    async def test_a_journal_keeps_the_order_of_writing(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1", b"", b"2"])
            await state.append_journal("e2", ALICE, [b"x"])
            await state.append_journal("e1", ALICE, [b"3"])
            assert await state.read_journal("e1", ALICE) == (b"1", b"", b"2", b"3")

    async def test_another_replica_reads_and_goes_on(self, stores: Stores) -> None:
        async with stores.open() as first, stores.open() as second:
            await first.append_journal("e1", ALICE, [b"1"])
            await first.append_journal("e1", ALICE, [b"2"])
            assert await second.read_journal("e1", ALICE) == (b"1", b"2")
            await second.append_journal("e1", ALICE, [b"3"])
            await first.append_journal("e1", ALICE, [b"4"])
            assert await second.read_journal("e1", ALICE) == (b"1", b"2", b"3", b"4")

    async def test_a_journal_is_its_owners_only(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"])
            for other in (BOB, EVE):
                assert await state.read_journal("e1", other) == ()
                await state.drop_journal("e1", other)
            assert await state.read_journal("nothing", ALICE) == ()
            assert await state.read_journal("e1", ALICE) == (b"1",)

    async def test_a_dropped_journal_is_gone_and_its_name_can_be_used_again(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"])
            await state.drop_journal("e1", ALICE)
            await state.drop_journal("e1", ALICE)
            assert await state.read_journal("e1", ALICE) == ()
            await state.append_journal("e1", ALICE, [b"2"])
            assert await state.read_journal("e1", ALICE) == (b"2",)

    async def test_what_was_only_held_back_is_dropped_without_asking_the_store(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"], durable=False)
            await state.drop_journal("e1", ALICE, written=False)
            assert await state.read_journal("e1", ALICE) == ()

    async def test_what_did_not_fit_is_dropped_from_the_store(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.append_journal("e1", ALICE, [bytes(MAX_HELD_BYTES + 1)], durable=False)
            assert await other.read_journal("e1", ALICE) != ()
            await state.drop_journal("e1", ALICE, written=False)
            assert await other.read_journal("e1", ALICE) == ()

    async def test_a_journal_lives_on_with_every_append_and_then_expires(self, stores: Stores) -> None:
        clock = stores.clock
        async with stores.open(Caps(journal_ttl_seconds=100)) as state:
            await state.append_journal("e1", ALICE, [b"1"])
            clock.now += 99
            await state.append_journal("e1", ALICE, [b"2"])
            clock.now += 99
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")
            clock.now += 1
            assert await state.read_journal("e1", ALICE) == ()
            await state.append_journal("e1", ALICE, [b"3"])
            assert await state.read_journal("e1", ALICE) == (b"3",)

    async def test_a_saved_execution_keeps_its_journal(self, stores: Stores, clock: Clock) -> None:
        async with stores.open(Caps(journal_ttl_seconds=100)) as state:
            await state.append_journal("e1", ALICE, [b"1"])
            await state.save_execution(record(clock, "e1", expires_at=clock.now + 1000))
            clock.now += 500
            assert await state.read_journal("e1", ALICE) == (b"1",)
            await state.append_journal("e1", ALICE, [b"2"])
            clock.now += 499
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")

    async def test_a_journal_over_its_cap_is_refused_and_loses_nothing(self, stores: Stores) -> None:
        async with stores.open(Caps(journal_bytes=4)) as state:
            await state.append_journal("e1", ALICE, [b"123"])
            with pytest.raises(JournalFull):
                await state.append_journal("e1", ALICE, [b"4", b"5"])
            assert await state.read_journal("e1", ALICE) == (b"123",)
            await state.append_journal("e1", ALICE, [b"4"])
            assert await state.read_journal("e1", ALICE) == (b"123", b"4")

    async def test_only_the_holder_of_the_lease_appends(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            first = await state.acquire_lease("e1", "a", 10)
            assert first is not None
            await state.append_journal("e1", ALICE, [b"1"], lease=first)
            clock.now += 11
            second = await state.acquire_lease("e1", "b", 10)
            assert second is not None
            with pytest.raises(LeaseLost):
                await state.append_journal("e1", ALICE, [b"late"], lease=first)
            await state.append_journal("e1", ALICE, [b"2"], lease=second)
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")

    async def test_a_lease_that_ran_out_or_never_was_is_lost(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            lease = await state.acquire_lease("e1", "a", 10)
            assert lease is not None
            clock.now += 10
            for gone in (lease, Lease("e1", "a", lease.token + 1, clock.now + 10), Lease("e2", "a", 1, 0)):
                with pytest.raises(LeaseLost):
                    await state.append_journal("e1", ALICE, [b"1"], lease=gone)
            assert await state.read_journal("e1", ALICE) == ()

    async def test_what_is_held_back_goes_with_the_next_durable_write(self, stores: Stores) -> None:
        async with stores.open() as first, stores.open() as second:
            await first.append_journal("e1", ALICE, [b"1"], durable=False)
            await first.append_journal("e1", ALICE, [b"2"], durable=False)
            assert await first.read_journal("e1", ALICE) == (b"1", b"2")
            await first.append_journal("e1", ALICE, [b"3"])
            assert await second.read_journal("e1", ALICE) == (b"1", b"2", b"3")

    async def test_a_save_takes_along_what_is_held_back(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as first, stores.open() as second:
            await first.append_journal("e1", ALICE, [b"1"], durable=False)
            await first.save_execution(record(clock, "e1"))
            assert await second.read_journal("e1", ALICE) == (b"1",)

    async def test_a_refused_save_keeps_what_is_held_back(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"], durable=False)
            with pytest.raises(Conflict):
                await state.save_execution(record(clock, "e1", version=7))
            assert await state.read_journal("e1", ALICE) == (b"1",)
            await state.append_journal("e1", ALICE, [b"2"])
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")

    async def test_dropping_forgets_what_is_held_back(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"], durable=False)
            await state.drop_journal("e1", ALICE)
            assert await state.read_journal("e1", ALICE) == ()

    async def test_settling_needs_no_journal(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as first, stores.open() as second:
            await first.append_journal("e1", ALICE, [b"1"], durable=False)
            await first.save_execution(record(clock, "e1", status="settled"))
            assert await first.read_journal("e1", ALICE) == (b"1",)
            await first.drop_journal("e1", ALICE)
            assert await second.read_journal("e1", ALICE) == ()
