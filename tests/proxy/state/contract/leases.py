"""What every store promises about leases."""

from __future__ import annotations

import asyncio

from tests.proxy.state.stores import Clock, Stores


class LeaseContract:
    async def test_one_holds_it_until_it_is_released(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            lease = await state.acquire_lease("e1", "a", 10)
            assert lease is not None
            assert (lease.name, lease.holder) == ("e1", "a")
            assert await other.acquire_lease("e1", "b", 10) is None
            held = await other.lease_of("e1")
            assert held is not None
            assert held.token == lease.token
            await state.release_lease(lease)
            assert await other.lease_of("e1") is None
            assert await other.acquire_lease("e1", "b", 10) is not None

    async def test_the_same_holder_asking_again_gets_the_same_lease(self, stores: Stores) -> None:
        async with stores.open() as state:
            first = await state.acquire_lease("e1", "a", 10)
            second = await state.acquire_lease("e1", "a", 10)
            assert first is not None
            assert second is not None
            assert first.token == second.token

    async def test_it_runs_out_unless_it_is_renewed(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            lease = await state.acquire_lease("e1", "a", 10)
            assert lease is not None
            clock.now += 9
            renewed = await state.renew_lease(lease, 10)
            assert renewed is not None
            assert renewed.expires_at == clock.now + 10
            clock.now += 9
            assert await state.acquire_lease("e1", "b", 10) is None
            clock.now += 1
            assert await state.lease_of("e1") is None
            assert await state.renew_lease(renewed, 10) is None
            assert await state.acquire_lease("e1", "b", 10) is not None

    async def test_a_lost_lease_can_neither_be_renewed_nor_released(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state:
            lost = await state.acquire_lease("e1", "a", 10)
            assert lost is not None
            clock.now += 10
            now = await state.acquire_lease("e1", "b", 10)
            assert now is not None
            assert await state.renew_lease(lost, 10) is None
            await state.release_lease(lost)
            held = await state.lease_of("e1")
            assert held is not None
            assert held.token == now.token

    async def test_tokens_grow_over_all_names_and_releases(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            tokens = []
            for number in range(6):
                lease = await (state, other)[number % 2].acquire_lease(f"e{number % 3}", "a", 10)
                assert lease is not None
                tokens.append(lease.token)
                await state.release_lease(lease)
            assert tokens == sorted(set(tokens))

    async def test_of_many_who_ask_at_once_one_gets_it(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            asked = ((state, other)[n % 2].acquire_lease("e1", f"holder {n}", 10) for n in range(20))
            assert sum(lease is not None for lease in await asyncio.gather(*asked)) == 1
