"""What every store promises about sessions."""

from __future__ import annotations

import pytest

from proxy.state import Owner, SessionRecord, SessionsFull, State
from tests.proxy.state.stores import ALICE, BOB, Clock, Stores

TTL = 1600.0


async def opened(
    state: State,
    clock: Clock,
    session_id: str,
    owner: Owner = ALICE,
    owner_cap: int = 10,
    total_cap: int = 100,
) -> tuple[str, ...]:
    record = SessionRecord(session_id, owner, session_id.encode(), clock.now, clock.now)
    return await state.open_session(record, ttl_seconds=TTL, owner_cap=owner_cap, total_cap=total_cap)


class SessionContract:
    async def test_a_session_is_used_on_any_replica(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            assert await opened(state, clock, "s1") == ()
            assert await other.use_session("s1", TTL) == SessionRecord(
                "s1", ALICE, b"s1", clock.now, clock.now
            )
            assert await other.use_session("s2", TTL) is None

    async def test_use_prolongs_a_session(self, stores: Stores, clock: Clock) -> None:
        began = clock.now
        async with stores.open() as state:
            await opened(state, clock, "s1")
            for _ in range(5):
                clock.now += TTL - 1
                assert await state.use_session("s1", TTL) is not None
            used = await state.use_session("s1", TTL)
            assert used == SessionRecord("s1", ALICE, b"s1", began, clock.now)
            clock.now += TTL
            assert await state.use_session("s1", TTL) is None

    async def test_use_soon_after_use_writes_nothing(self, stores: Stores, clock: Clock) -> None:
        began = clock.now
        async with stores.open() as state:
            await opened(state, clock, "s1")
            clock.now += TTL / 16 - 1
            assert await state.use_session("s1", TTL) is not None
            found = await state.use_session("s1", TTL)
            assert found is not None
            assert found.seen_at == began

    async def test_only_its_owner_changes_or_closes_a_session(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await opened(state, clock, "s1")
            assert not await state.save_session("s1", BOB, b"bob's")
            assert not await state.close_session("s1", BOB)
            assert await state.save_session("s1", ALICE, b"new")
            found = await state.use_session("s1", TTL)
            assert found is not None
            assert found.body == b"new"
            assert await state.close_session("s1", ALICE)
            assert not await state.close_session("s1", ALICE)
            assert not await state.save_session("s1", ALICE, b"late")
            assert await state.use_session("s1", TTL) is None

    async def test_at_its_cap_an_owners_least_used_sessions_make_room(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state:
            for number in range(3):
                await opened(state, clock, f"s{number}", owner_cap=3)
                clock.now += 1
            await opened(state, clock, "bobs", BOB, owner_cap=3)
            clock.now += TTL / 2
            await state.use_session("s0", TTL)
            assert await opened(state, clock, "s3", owner_cap=3) == ("s1",)
            assert await state.use_session("s1", TTL) is None
            assert sorted(await opened(state, clock, "s4", owner_cap=1)) == ["s0", "s2", "s3"]
            assert await state.use_session("bobs", TTL) is not None

    async def test_the_number_of_all_sessions_is_capped(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await opened(state, clock, "s1", total_cap=2)
            await opened(state, clock, "s2", BOB, total_cap=2)
            with pytest.raises(SessionsFull):
                await opened(state, clock, "s3", total_cap=2)
            assert await state.use_session("s1", TTL) is not None
            assert await opened(state, clock, "s3", owner_cap=1, total_cap=2) == ("s1",)
            clock.now += TTL
            await opened(state, clock, "s4", total_cap=1)

    async def test_opening_the_same_session_again_changes_nothing_else(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state:
            for _ in range(2):
                assert await opened(state, clock, "s1", owner_cap=1, total_cap=1) == ()
            assert await state.use_session("s1", TTL) is not None
