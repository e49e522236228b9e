"""What every store promises about messages, and as a whole."""

from __future__ import annotations

import asyncio

from proxy.state import Lease
from tests.proxy.state.stores import ALICE, Clock, Stores, record


class WholeContract:
    async def test_messages_reach_the_subscribers_of_their_topic_in_order(self, stores: Stores) -> None:
        async with stores.open() as state:
            async with (
                state.subscribe("t1") as first,
                state.subscribe("t1") as second,
                state.subscribe("t2") as other,
            ):
                for number in range(3):
                    await state.publish("t1", str(number).encode())
                await state.publish("t2", b"other")
                async with asyncio.timeout(60):
                    for subscription in (first, second):
                        assert [await subscription.receive() for _ in range(3)] == [b"0", b"1", b"2"]
                    assert await other.receive() == b"other"

    async def test_a_store_that_is_open_answers(self, stores: Stores) -> None:
        async with stores.open() as state:
            await state.check()

    async def test_an_execution_goes_from_one_replica_to_the_next(self, stores: Stores, clock: Clock) -> None:
        """Start on one, pause, decide on another, resume on a third."""
        async with stores.open() as one, stores.open() as two, stores.open() as three:
            lease = await one.acquire_lease("e1", "one", 30)
            assert lease is not None
            await one.append_journal("e1", ALICE, [b"start"], lease=lease, durable=False)
            running = await one.save_execution(record(clock, "e1"), lease=lease)
            paused = await one.save_execution(
                record(
                    clock, "e1", status="paused", version=running.version, due_at=clock.now + 60, pending=1
                ),
                lease=lease,
            )
            await one.release_lease(lease)
            assert await two.find_execution("e1", "one") == paused
            taken = await three.acquire_lease("e1", "three", 30)
            assert isinstance(taken, Lease)
            assert taken.token > lease.token
            assert await three.read_journal("e1", ALICE) == (b"start",)
