"""What every store promises about large results."""

from __future__ import annotations

from proxy.state import Caps
from tests.proxy.state.stores import ALICE, BOB, EVE, Clock, Stores


class ResultContract:
    async def test_a_result_is_read_back_by_its_owner_until_it_expires(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state, stores.open() as other:
            ref = await state.put_result(ALICE, b"[1]", 10)
            assert ref is not None
            assert ref.startswith("res_")
            assert len(ref) == 4 + 32
            assert await other.get_result(ALICE, ref) == b"[1]"
            assert await state.get_result(BOB, ref) is None
            assert await state.get_result(EVE, ref) is None
            assert await state.get_result(ALICE, "res_" + "0" * 32) is None
            clock.now += 10
            assert await state.get_result(ALICE, ref) is None

    async def test_a_result_larger_than_a_share_is_not_kept(self, stores: Stores) -> None:
        async with stores.open(Caps(owner_result_bytes=4)) as state:
            assert await state.put_result(ALICE, b"12345", 10) is None

    async def test_an_owner_pushes_out_only_its_own_results(self, stores: Stores) -> None:
        async with stores.open(Caps(owner_result_bytes=4)) as state:
            bobs = await state.put_result(BOB, b"bob", 10)
            first = await state.put_result(ALICE, b"123", 10)
            second = await state.put_result(ALICE, b"456", 10)
            assert await state.get_result(BOB, bobs or "") == b"bob"
            assert await state.get_result(ALICE, first or "") is None
            assert await state.get_result(ALICE, second or "") == b"456"

    async def test_expired_results_make_room_first(self, stores: Stores, clock: Clock) -> None:
        async with stores.open(Caps(owner_result_bytes=4)) as state:
            lasting = await state.put_result(ALICE, b"1", 100)
            await state.put_result(ALICE, b"23", 10)
            clock.now += 20
            await state.put_result(ALICE, b"456", 10)
            assert await state.get_result(ALICE, lasting or "") == b"1"
