"""Messages within one process: topics, order, bounds, gaps."""

from __future__ import annotations

import asyncio

from proxy.state.publications import QUEUE_SIZE, Hub, Inbox


async def test_messages_wait_in_order() -> None:
    inbox = Inbox()
    inbox.put(b"1")
    inbox.put(b"2")
    assert [await inbox.receive(), await inbox.receive()] == [b"1", b"2"]


async def test_a_reader_waits_for_the_next_message() -> None:
    hub = Hub()
    async with hub.subscribe("t") as inbox, asyncio.TaskGroup() as group:
        read = group.create_task(inbox.receive())
        await asyncio.sleep(0)
        assert not read.done()
        await hub.publish("t", b"1")
    assert read.result() == b"1"


async def test_a_reader_too_slow_is_told_once_and_goes_on() -> None:
    inbox = Inbox()
    for number in range(QUEUE_SIZE + 1):
        inbox.put(str(number).encode())
    inbox.put(b"after")
    assert [await inbox.receive(), await inbox.receive()] == [None, b"after"]


async def test_a_gap_is_told_to_all_topics() -> None:
    hub = Hub()
    async with hub.subscribe("t1") as first, hub.subscribe("t2") as second:
        await hub.publish("t1", b"older than the gap")
        hub.gap()
        hub.gap()
        await hub.publish("t1", b"1")
        assert [await first.receive(), await first.receive()] == [None, b"1"]
        assert await second.receive() is None


async def test_nothing_is_left_of_a_topic_without_subscribers() -> None:
    hub = Hub()
    async with hub.subscribe("t"), hub.subscribe("t"):
        assert hub.topics == {"t"}
    assert hub.topics == set()
    await hub.publish("t", b"nobody hears it")
