"""Messages between replicas: they arrive everywhere, and what may have been missed is told."""

from __future__ import annotations

import asyncio

import pytest

from proxy.state import StateUnavailable
from proxy.state.redis.store import RedisState
from tests.proxy.failing import FailingSupervisor
from tests.proxy.state.servers import redis_server
from tests.proxy.state.stores import NEW_KEY, RedisStores


async def test_a_message_reaches_every_replica(stores: RedisStores) -> None:
    async with stores.open() as one, stores.open() as two, asyncio.timeout(60):
        async with one.subscribe("t") as first, two.subscribe("t") as second:
            await one.publish("t", b"1")
            await two.publish("t", b"2")
            assert [await first.receive() for _ in range(2)] == [b"1", b"2"]
            assert [await second.receive() for _ in range(2)] == [b"1", b"2"]


async def test_a_restart_of_redis_is_told_as_a_gap_and_messages_come_again() -> None:
    with redis_server() as server:
        stores = RedisStores(server)
        async with stores.open() as one, stores.open() as two, asyncio.timeout(60):
            async with one.subscribe("t") as subscription:
                await two.publish("t", b"before")
                assert await subscription.receive() == b"before"
                server.kill()
                server.start()
                assert await subscription.receive() is None
                await two.publish("t", b"after")
                assert await subscription.receive() == b"after"


async def test_publishing_while_redis_is_away_fails(stores: RedisStores) -> None:
    with redis_server() as server:
        lone = RedisStores(server, limit_seconds=0.3)
        async with lone.open() as state:
            server.kill()
            with pytest.raises(StateUnavailable, match="does not answer"):
                await state.publish("t", b"1")


async def test_what_others_say_on_our_channel_is_a_gap(stores: RedisStores) -> None:
    """Whatever it was, it may have stood for something."""
    async with stores.open() as state, asyncio.timeout(60), state.subscribe("t") as subscription:
        for noise in ("", "x", "\x00\x01tplain text"):
            stores.server.ask("PUBLISH", f"{stores.prefix}:messages", noise)
            assert await subscription.receive() is None
        await state.publish("t", b"ours")
        assert await subscription.receive() == b"ours"


async def test_a_connection_that_is_cut_is_made_again(stores: RedisStores) -> None:
    async with stores.open() as state, asyncio.timeout(60), state.subscribe("t") as subscription:
        assert isinstance(state, RedisState)
        stores.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        assert await subscription.receive() is None
        await state.publish("t", b"1")
        assert await subscription.receive() == b"1"


async def test_messages_of_a_replica_with_other_keys_are_gaps(stores: RedisStores) -> None:
    async with stores.open() as state, asyncio.timeout(60), state.subscribe("t") as subscription:
        stores.keys = (NEW_KEY, *stores.keys)
        async with stores.open() as ahead:
            await ahead.publish("t", b"sealed with a key that the first does not have yet")
            assert await subscription.receive() is None


async def test_a_connection_that_is_open_and_dead_is_noticed() -> None:
    with redis_server() as server:
        stores = RedisStores(server, limit_seconds=0.3, quiet_seconds=0.05)
        async with stores.open() as state, asyncio.timeout(60), state.subscribe("t") as subscription:
            server.freeze()
            with pytest.raises(StateUnavailable):
                await state.check()
            server.thaw()
            await state.publish("t", b"1")
            while await subscription.receive() is None:
                await state.publish("t", b"2")


async def test_a_listener_with_a_defect_is_started_again() -> None:
    tasks = FailingSupervisor("state messages")
    with redis_server() as server:
        stores = RedisStores(server, tasks=tasks)
        async with stores.open() as state, asyncio.timeout(60), state.subscribe("t") as subscription:
            await state.publish("t", b"1")
            assert await subscription.receive() == b"1"
    assert tasks.failures == 1.0
