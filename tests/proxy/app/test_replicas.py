"""Replicas that share a store see each other, and what each of them serves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from proxy.app.replicas import ReplicaWatch
from proxy.state import Entry, MemoryState, StateUnavailable


def config(generation: int, sha256: str) -> dict[str, Any]:
    return {"generation": generation, "sha256": sha256, "in_sync": True}


async def test_replicas_see_each_other_until_one_is_gone() -> None:
    store = MemoryState()
    one = ReplicaWatch(store, lambda: config(3, "aa"))
    two = ReplicaWatch(store, lambda: config(4, "bb"))
    assert [(seen["sha256"], seen["self"]) for seen in one.replicas()] == [("aa", True)]
    await two.look()
    await one.look()
    assert {(seen["sha256"], seen["generation"], seen["self"]) for seen in one.replicas()} == {
        ("aa", 3, True),
        ("bb", 4, False),
    }
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await two.run()
    await one.look()
    assert [seen["sha256"] for seen in one.replicas()] == ["aa"]


async def test_a_store_that_is_away_changes_nothing() -> None:
    class Away(MemoryState):
        away = False

        async def write_entry(self, entry: Entry) -> Entry:
            if self.away:
                raise StateUnavailable("Redis does not answer.")
            return await super().write_entry(entry)

    store = Away()
    watch, other = ReplicaWatch(store, lambda: config(1, "aa")), ReplicaWatch(store, lambda: config(1, "aa"))
    await other.look()
    await watch.look()
    store.away = True
    await watch.look()
    assert (watch.trouble, len(watch.replicas())) == ("Redis does not answer.", 2)
    store.away = False
    await watch.look()
    await watch.look()
    assert watch.trouble is None
