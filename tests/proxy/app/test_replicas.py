"""Replicas that share a store see each other, and what each of them serves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from proxy.app import replicas
from proxy.app.replicas import EVERY_SECONDS, ReplicaWatch
from proxy.state import Entry, MemoryState, StateUnavailable


def config(generation: int, sha256: str) -> dict[str, Any]:
    return {"generation": generation, "sha256": sha256, "in_sync": True, "rejected": None}


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


async def test_before_the_first_look_the_others_are_not_known() -> None:
    watch = ReplicaWatch(MemoryState(), lambda: config(1, "aa"))
    assert watch.trouble == "the state store was not asked yet"
    await watch.look()
    assert watch.trouble is None


async def test_a_reload_is_told_at_once() -> None:
    """Long before the next round: the test would run into its limit."""
    store, served = MemoryState(), config(1, "aa")
    watch, other = ReplicaWatch(store, lambda: served), ReplicaWatch(store, lambda: config(1, "aa"))
    task = asyncio.get_running_loop().create_task(watch.run())
    while len(other.replicas()) < 2:
        await other.look()
        await asyncio.sleep(0)
    served.update(generation=2, sha256="bb")
    watch.announce()
    async with asyncio.timeout(EVERY_SECONDS / 2):
        while "bb" not in {seen["sha256"] for seen in other.replicas()}:
            await other.look()
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def test_a_list_that_is_cut_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "MOST", 2)
    store = MemoryState()
    for _ in range(2):
        await ReplicaWatch(store, lambda: config(1, "aa")).look()
    watch = ReplicaWatch(store, lambda: config(1, "aa"))
    watch.id = "~"  # the list is by id, and both of the others come before it
    await watch.look()
    assert (watch.trouble, len(watch.replicas())) == ("there may be more: 2 are listed at most", 3)


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
