"""Registrations in the store: one name once, by workspace, and a mark that changes with every change."""

from __future__ import annotations

import pytest

from proxy.overlay import OverlayStore, ServerRegistration, read_snapshot
from proxy.overlay.entries import TOPIC
from proxy.state import Conflict, MemoryState

CONFIG = {"type": "remote", "url": "https://mcp.example.com/x", "headers": {"A": "b"}, "enabled": False}
DOCS = ServerRegistration("internal-docs", "internal_docs", CONFIG)


async def test_what_is_added_is_there_until_it_is_dropped() -> None:
    state = MemoryState()
    store = OverlayStore(state)
    marks = [await store.mark()]

    async def changed() -> None:
        marks.append(await store.mark())
        assert len(set(marks)) == len(marks)

    async with state.subscribe(TOPIC) as messages:
        await store.add("one", DOCS, "key:boss")
        assert await messages.receive() == b"changed"
    await changed()
    (found,) = await store.servers("one")
    assert (found.registration, found.off, found.by) == (DOCS, True, "key:boss")
    with pytest.raises(Conflict):
        await store.add("one", DOCS, "key:boss")
    assert await store.servers("two") == ()
    assert await store.switch("one", "internal_docs", off=False)
    await changed()
    assert [one.off for one in await store.servers("one")] == [False]
    assert await store.switch("one", "internal_docs", off=False)
    assert not await store.switch("one", "nothing", off=False)
    assert not await store.drop("two", "internal_docs")
    assert await store.drop("one", "internal_docs")
    await changed()
    assert await store.servers("one") == ()


async def test_servers_of_files_are_disconnected_by_workspace() -> None:
    store = OverlayStore(MemoryState())
    await store.disconnect("one", ["a.org.main", "b.org.main"], off=True)
    mark = await store.mark()
    await store.disconnect("one", ["a.org.main"], off=True)
    assert await store.mark() == mark
    assert await store.disconnected("one") == {"a.org.main", "b.org.main"}
    assert await store.disconnected("two") == frozenset()
    await store.disconnect("one", ["a.org.main", "c.org.main"], off=False)
    assert await store.mark() != mark
    assert await store.disconnected("one") == {"b.org.main"}


async def test_a_snapshot_has_no_registrations_where_they_are_off() -> None:
    store = OverlayStore(MemoryState())
    await store.add("one", DOCS, "key:boss")
    await store.disconnect("one", ["a.org.main"], off=True)
    whole = await read_snapshot(store, ("one", "two"), registrations=True)
    assert [one.registration for one in whole.servers["one"]] == [DOCS]
    without = await read_snapshot(store, ("one", "two"), registrations=False)
    assert (without.servers, without.disconnected) == ({}, {"one": frozenset(["a.org.main"])})
