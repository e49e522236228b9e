"""What every store promises about small documents."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.state import Conflict, Entry
from tests.proxy.state.stores import Clock, Stores

TOKEN = Entry("token", "one", "github.org.main", b"secret")


class EntryContract:
    async def test_an_entry_comes_back_as_it_was_written(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            lasting = await state.write_entry(TOKEN)
            assert lasting == replace(TOKEN, version=1)
            assert await other.read_entry("token", "one", TOKEN.key) == lasting
            ending = await state.write_entry(Entry("key", "one", "k", b"", expires_at=clock.now + 5))
            assert await other.read_entry("key", "one", "k") == ending
            clock.now += 5
            assert await other.read_entry("key", "one", "k") is None
            assert await other.read_entry("token", "one", TOKEN.key) == lasting
            for kind, workspace, key in (
                ("key", "one", TOKEN.key),
                ("token", "two", TOKEN.key),
                ("token", "one", "k"),
            ):
                assert await state.read_entry(kind, workspace, key) is None

    async def test_only_the_newest_version_is_replaced_or_dropped(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            first = await state.write_entry(TOKEN)
            second = await other.write_entry(replace(first, value=b"newer"))
            for stale in (TOKEN, first):
                with pytest.raises(Conflict):
                    await state.write_entry(stale)
            assert not await state.drop_entry(first)
            assert await state.read_entry("token", "one", TOKEN.key) == second
            assert await state.drop_entry(second)
            assert not await state.drop_entry(second)
            assert await other.read_entry("token", "one", TOKEN.key) is None

    async def test_an_expired_entry_is_written_as_a_new_one(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            first = await state.write_entry(replace(TOKEN, expires_at=clock.now + 5))
            clock.now += 5
            assert not await state.drop_entry(first)
            with pytest.raises(Conflict):
                await state.write_entry(first)
            assert (await state.write_entry(TOKEN)).version == 1

    async def test_of_many_who_write_at_once_one_succeeds(self, stores: Stores) -> None:
        async with stores.open() as state, stores.open() as other:
            tries = [
                (state, other)[n % 2].write_entry(replace(TOKEN, value=str(n).encode())) for n in range(20)
            ]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Entry)]
            assert await state.read_entry("token", "one", TOKEN.key) == winner

    async def test_lists_are_by_key_and_of_one_kind_and_workspace(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            for key in ("b", "c", "a"):
                await state.write_entry(Entry("overlay", "one", key, key.encode()))
            await state.write_entry(Entry("overlay", "two", "d", b"d"))
            await state.write_entry(Entry("token", "one", "e", b"e"))
            gone = await state.write_entry(Entry("overlay", "one", "f", b"f"))
            await state.write_entry(Entry("overlay", "one", "g", b"g", expires_at=clock.now + 5))
            await state.drop_entry(gone)
            clock.now += 5
            assert [entry.value for entry in await state.list_entries("overlay", "one")] == [b"a", b"b", b"c"]
            assert [entry.key for entry in await state.list_entries("overlay", "one", 2)] == ["a", "b"]
            assert await state.list_entries("overlay", "three") == ()
