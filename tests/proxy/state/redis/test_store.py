"""The server: restarts, absence, other keys, other schemas, bad addresses, and the contract of the whole."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from dataclasses import replace

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from integrations.base import Secret
from proxy.state import Entry, StateUnavailable, StateUnreadable
from proxy.state.keys import KeyRing
from proxy.state.redis import RedisOptions, open_redis
from proxy.state.redis.store import RedisState
from tests.proxy.state.contract.whole import WholeContract
from tests.proxy.state.servers import RedisServer, redis_server
from tests.proxy.state.stores import ALICE, NEW_KEY, OLD_KEY, Clock, RedisStores, record
from tests.proxy.support import logged


class TestRedisWhole(WholeContract):
    pass


async def test_a_restart_in_the_middle_of_a_call_is_ridden_out(clock: Clock) -> None:
    with redis_server(persistent=True) as server:
        stores = RedisStores(server)
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"])
            server.kill()
            async with asyncio.TaskGroup() as group:
                append = group.create_task(state.append_journal("e1", ALICE, [b"2"]))
                read = group.create_task(state.find_execution("e1", "one"))
                await asyncio.to_thread(server.start)
            assert append.done()
            assert read.result() is None
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")


async def test_while_redis_is_away_calls_fail_and_afterwards_nothing_is_lost(clock: Clock) -> None:
    with redis_server(persistent=True) as server:
        stores = RedisStores(server, limit_seconds=0.3)
        async with stores.open() as state:
            await state.append_journal("e1", ALICE, [b"1"])
            saved = await state.save_execution(record(stores.clock, "e1", status="paused"))
            server.kill()
            for call in (
                state.append_journal("e1", ALICE, [b"2"]),
                state.save_execution(replace(saved, status="settled")),
                state.use_session("s1", 60),
                state.check(),
            ):
                with pytest.raises(StateUnavailable, match="does not answer"):
                    await call
            server.start()
            await state.check()
            assert await state.find_execution("e1", "one") == saved
            assert await state.read_journal("e1", ALICE) == (b"1",)
            await state.append_journal("e1", ALICE, [b"2"])
            assert await state.read_journal("e1", ALICE) == (b"1", b"2")


async def test_acknowledged_appends_survive_kills_at_any_time() -> None:
    with redis_server(persistent=True) as server:
        async with RedisStores(server).open() as state:
            reached = {number: asyncio.Event() for number in (50, 100, 150)}

            async def append() -> None:
                for number in range(200):
                    await state.append_journal("e1", ALICE, [str(number).encode()])
                    if number in reached:
                        reached[number].set()

            async with asyncio.TaskGroup() as group:
                appending = group.create_task(append())
                for stop in reached:
                    await reached[stop].wait()
                    server.kill()
                    await asyncio.to_thread(server.start)
                await appending
            assert [int(line) for line in await state.read_journal("e1", ALICE)] == list(range(200))


async def test_old_records_are_read_after_a_rotation_and_rewritten_with_the_new_key(
    stores: RedisStores, clock: Clock
) -> None:
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [b"1"])
        saved = await state.save_execution(record(clock, "e1", body=b"old"))
        left = await state.write_entry(Entry("token", "one", "k", b"old"))
    stores.keys = (NEW_KEY, OLD_KEY)
    async with stores.open() as state:
        assert await state.read_journal("e1", ALICE) == (b"1",)
        assert await state.read_entry("token", "one", "k") == left
        rewritten = await state.save_execution(replace(saved, body=b"new"))
    stores.keys = (NEW_KEY,)
    async with stores.open() as state:
        assert await state.find_execution("e1", "one") == rewritten
        for read in (state.read_journal("e1", ALICE), state.read_entry("token", "one", "k")):
            with pytest.raises(StateUnreadable, match="Add the old key"):
                await read
        assert await state.list_entries("token", "one") == ()


async def test_other_keys_are_noticed_before_anything_is_written(stores: RedisStores) -> None:
    async with stores.open():
        pass
    stores.keys = (NEW_KEY,)
    with pytest.raises(StateUnavailable, match="encrypted with other keys"):
        async with stores.open():
            pass


async def test_another_schema_is_refused(stores: RedisStores) -> None:
    stores.server.ask("SET", f"{stores.prefix}:schema", "99")
    with pytest.raises(StateUnavailable, match="schema 99"):
        async with stores.open():
            pass


async def test_nothing_of_value_is_readable_in_redis(stores: RedisStores, clock: Clock) -> None:
    """T17: journals, records, results, entries and messages are encrypted."""
    canary = b"canary-4711-canary"
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [canary])
        await state.save_execution(record(clock, "e1", body=canary))
        await state.put_result(ALICE, canary, 60)
        await state.write_entry(Entry("token", "one", "k", canary))
    keys = [
        word for word in stores.server.ask("KEYS", f"{stores.prefix}:*").split() if word.startswith(b"test-")
    ]
    assert len(keys) > 6
    dumps = [stores.server.ask("DUMP", key.decode()) for key in keys]
    assert all(canary not in dump for dump in dumps)


async def test_every_key_ends(stores: RedisStores, clock: Clock) -> None:
    """Nothing is left of what expires; only versions, proof, counter and entries without an end stay."""
    async with stores.open() as state:
        await state.append_journal("e1", ALICE, [b"1"])
        await state.save_execution(record(clock, "e1", status="paused", due_at=clock.now + 5))
        await state.put_result(ALICE, b"1", 60)
        await state.acquire_lease("e1", "a", 10)
    keys = [
        word for word in stores.server.ask("KEYS", f"{stores.prefix}:*").split() if word.startswith(b"test-")
    ]
    lasting = {
        key.decode().removeprefix(stores.prefix) for key in keys if endless(stores.server, key.decode())
    }
    assert lasting == {":schema", ":proof", ":tokens"}


def endless(server: RedisServer, key: str) -> bool:
    return server.ask("PTTL", key).strip() == b":-1"


async def test_counters_are_shared_by_replicas(stores: RedisStores) -> None:
    limit = RateLimitItemPerMinute(3)
    async with stores.open() as one, stores.open() as two:
        assert one.counters is not None
        assert two.counters is not None
        limiters = [MovingWindowRateLimiter(one.counters), MovingWindowRateLimiter(two.counters)]
        assert [await limiters[n % 2].hit(limit, "key:alice") for n in range(4)] == [True, True, True, False]


async def test_counters_fail_as_the_limits_package_does() -> None:
    with redis_server() as server:
        async with RedisStores(server, limit_seconds=0.3).open() as state:
            assert state.counters is not None
            server.kill()
            with pytest.raises(StorageError):
                await MovingWindowRateLimiter(state.counters).hit(RateLimitItemPerMinute(3), "key:alice")


@pytest.mark.parametrize("url", ["http://host", "redis//host", "redis://:s3cret@host:port/0"])
async def test_an_address_that_is_none_is_told_without_showing_it(url: str, clock: Clock) -> None:
    with pytest.raises(StateUnavailable, match="is not a Redis URL") as caught:
        async with open_redis(Secret(url), KeyRing([OLD_KEY]), RedisOptions()):
            pass
    assert "s3cret" not in str(caught.value)


async def test_no_server_is_told_within_the_limit() -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        url = Secret(f"redis://:s3cret@127.0.0.1:{bound.getsockname()[1]}/0")
        with pytest.raises(StateUnavailable, match="does not answer") as caught:
            async with open_redis(url, KeyRing([OLD_KEY]), RedisOptions(limit_seconds=0.2)):
                pass
    assert "s3cret" not in str(caught.value)


async def test_a_wrong_password_is_told_at_once() -> None:
    with redis_server() as server:
        server.ask("CONFIG", "SET", "requirepass", "right")
        url = Secret(server.url.replace("unix://", "unix://:wrong@"))
        with pytest.raises(StateUnavailable, match="refuses our password"):
            async with open_redis(url, KeyRing([OLD_KEY]), RedisOptions()):
                pass


async def test_a_server_that_may_evict_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with redis_server() as server:
        server.ask("CONFIG", "SET", "maxmemory", "100mb")
        server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        async with RedisStores(server).open():
            pass
    assert "noeviction" in logged(caplog)


async def test_calls_cut_off_do_not_mix_up_the_answers_of_others(stores: RedisStores) -> None:
    async with stores.open() as state:
        for number in range(20):
            await state.write_entry(Entry("token", "one", str(number), str(number).encode()))
        for round_ in range(20):
            async with asyncio.TaskGroup() as group:
                reads = [group.create_task(state.read_entry("token", "one", str(n))) for n in range(20)]
                for _ in range(round_):
                    await asyncio.sleep(0)
                for read in reads[::2]:
                    read.cancel()
            for number, found in enumerate(await asyncio.gather(*reads, return_exceptions=True)):
                assert isinstance(found, asyncio.CancelledError | Entry)
                assert isinstance(found, asyncio.CancelledError) or found.value == str(number).encode()


@pytest.mark.parametrize(
    ("setting", "wrong", "right"),
    [
        (("CONFIG", "SET", "maxmemory"), "1", "0"),
        (("CONFIG", "SET", "min-replicas-to-write"), "1", "0"),
        (("REPLICAOF",), "127.0.0.1 9", "NO ONE"),
    ],
)
async def test_a_server_that_takes_no_writes_fails_the_check(
    setting: tuple[str, ...], wrong: str, right: str
) -> None:
    with redis_server() as server:
        async with RedisStores(server, limit_seconds=0.3).open() as state:
            await state.check()
            assert isinstance(state, RedisState)
            link = state._link
            words = wrong.split() if setting == ("REPLICAOF",) else [wrong]
            await link.command(*setting, *words)
            await link.command("PING")
            with pytest.raises(StateUnavailable):
                await state.check()
            await link.command(*setting, *(right.split() if setting == ("REPLICAOF",) else [right]))
            await state.check()
