"""The contract of the store in a cluster of three, and with Sentinel; what is not lost when a primary dies.

In `make test` the cluster is set up once, and a part of the contract runs; `make cluster-test` runs all of it.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter

from integrations.base import Secret
from proxy.state import ExecutionQuery, State, StateUnavailable, Subscription
from proxy.state.keys import KeyRing
from proxy.state.redis import RedisOptions, open_redis
from tests.proxy.state.clusters import ValkeyCluster, WatchedPrimary, valkey_cluster, watched_primary
from tests.proxy.state.contract.decisions import DecisionContract
from tests.proxy.state.contract.entries import EntryContract
from tests.proxy.state.contract.executions import ExecutionContract
from tests.proxy.state.contract.journals import JournalContract
from tests.proxy.state.contract.leases import LeaseContract
from tests.proxy.state.contract.results import ResultContract
from tests.proxy.state.contract.sessions import SessionContract
from tests.proxy.state.contract.whole import WholeContract
from tests.proxy.state.stores import ALICE, OLD_KEY, FailoverStores, record

# redis-py leaves connections to nodes that it knows no more to the collector, which says so.
LEFT = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    with valkey_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def watched() -> Iterator[WatchedPrimary]:
    with watched_primary() as running:
        yield running


@pytest.fixture(scope="module")
def cluster_with_tls() -> Iterator[ValkeyCluster]:
    """With an authority of its own; clients need a certificate."""
    with valkey_cluster(tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def watched_with_tls() -> Iterator[WatchedPrimary]:
    with watched_primary(tls=True) as running:
        yield running


class OnCluster:
    @pytest.fixture
    def stores(self, cluster: ValkeyCluster) -> FailoverStores:
        return FailoverStores(cluster)


class OnSentinel:
    @pytest.fixture
    def stores(self, watched: WatchedPrimary) -> FailoverStores:
        return FailoverStores(watched)


class OnClusterWithTls:
    @pytest.fixture
    def stores(self, cluster_with_tls: ValkeyCluster) -> FailoverStores:
        return FailoverStores(cluster_with_tls)


class OnSentinelWithTls:
    @pytest.fixture
    def stores(self, watched_with_tls: WatchedPrimary) -> FailoverStores:
        return FailoverStores(watched_with_tls)


class TestClusterExecutions(OnCluster, ExecutionContract):
    pass


@pytest.mark.cluster
class TestClusterDecisions(OnCluster, DecisionContract):
    pass


@pytest.mark.cluster
class TestClusterEntries(OnCluster, EntryContract):
    pass


@pytest.mark.cluster
class TestClusterJournals(OnCluster, JournalContract):
    pass


@pytest.mark.cluster
class TestClusterLeases(OnCluster, LeaseContract):
    pass


@pytest.mark.cluster
class TestClusterResults(OnCluster, ResultContract):
    pass


@pytest.mark.cluster
class TestClusterSessions(OnCluster, SessionContract):
    pass


@pytest.mark.cluster
class TestClusterWhole(OnCluster, WholeContract):
    pass


@pytest.mark.cluster
@pytest.mark.minutes
class TestSentinelExecutions(OnSentinel, ExecutionContract):
    pass


@pytest.mark.cluster
@pytest.mark.minutes
class TestSentinelWhole(OnSentinel, WholeContract):
    pass


@pytest.mark.cluster
@pytest.mark.redis_tls
@pytest.mark.minutes
class TestClusterWithTlsExecutions(OnClusterWithTls, ExecutionContract):
    pass


@pytest.mark.cluster
@pytest.mark.redis_tls
@pytest.mark.minutes
class TestClusterWithTlsWhole(OnClusterWithTls, WholeContract):
    pass


@pytest.mark.cluster
@pytest.mark.redis_tls
@pytest.mark.minutes
class TestSentinelWithTlsExecutions(OnSentinelWithTls, ExecutionContract):
    pass


@pytest.mark.cluster
@pytest.mark.redis_tls
@pytest.mark.minutes
class TestSentinelWithTlsWhole(OnSentinelWithTls, WholeContract):
    pass


@pytest.mark.cluster
@pytest.mark.redis_tls
@pytest.mark.minutes
@pytest.mark.parametrize("kind", ["cluster_with_tls", "watched_with_tls"])
async def test_only_who_has_all_files_gets_in(kind: str, request: pytest.FixtureRequest) -> None:
    """The authority of the servers, and a certificate that they take."""
    servers = request.getfixturevalue(kind)
    for lacking in ("ca", "cert"):
        without = {lacking: None, **({"key": None} if lacking == "cert" else {})}
        form = replace(servers.form, **without)
        with pytest.raises(StateUnavailable):
            async with open_redis(
                Secret(servers.url), KeyRing([OLD_KEY]), RedisOptions(limit_seconds=3.0), form=form
            ):
                pass
    gc.collect()


def test_keys_of_one_execution_share_a_slot(cluster: ValkeyCluster) -> None:
    """And those of a kind of entries, and of an owner's results."""
    keys = (
        "executor:execution:{e1}",
        "executor:journal:0f:{e1}",
        "executor:decisions:0f:{e1}",
        "executor:lease:{e1}",
    )
    assert len({cluster.primaries[0].asked("CLUSTER", "KEYSLOT", key) for key in keys}) == 1


async def filled(state: State, stores: FailoverStores, count: int) -> None:
    """Executions in several slots: a journal, a record that is paused, a lease each."""
    for number in range(count):
        name = f"e{number}"
        lease = await state.acquire_lease(name, "me", 600)
        assert lease is not None
        await state.append_journal(name, ALICE, [b"first"], lease=lease)
        paused = record(stores.clock, name, status="paused", pending=1)
        await state.save_execution(paused, lease=lease)


@pytest.mark.cluster
@LEFT
@pytest.mark.parametrize(
    "kind",
    [
        "cluster",
        pytest.param("watched", marks=pytest.mark.minutes),
        pytest.param("cluster_with_tls", marks=[pytest.mark.redis_tls, pytest.mark.minutes]),
        pytest.param("watched_with_tls", marks=[pytest.mark.redis_tls, pytest.mark.minutes]),
    ],
)
@pytest.mark.timeout(300)
async def test_a_primary_dies_in_the_middle_of_many_calls(kind: str, request: pytest.FixtureRequest) -> None:
    """Whatever was answered is there afterwards, once; calls under way are answered when the replica has taken over."""
    servers = request.getfixturevalue(kind)
    stores = FailoverStores(servers)
    written: list[tuple[str, bytes]] = []
    stop, more = asyncio.Event(), asyncio.Semaphore(0)

    async def write(state: State, number: int) -> None:
        at = 0
        while not stop.is_set():
            entry = f"{at}".encode()
            await state.append_journal(f"e{number}", ALICE, [entry])
            written.append((f"e{number}", entry))
            at += 1
            more.release()

    async with stores.open() as state, stores.open() as other:
        async with asyncio.TaskGroup() as group, state.subscribe("news") as heard:
            for number in range(9):
                group.create_task(write(state, number))
            await _taken(more, 90)
            await asyncio.to_thread(servers.fail_over, 0)
            await _taken(more, len(written) + 90)
            stop.set()
            await other.publish("news", b"after")
            while await _silent(heard):
                await other.publish("news", b"after")
        for number in range(9):
            name = f"e{number}"
            expected = tuple(entry for whose, entry in written if whose == name)
            assert await other.read_journal(name, ALICE) == expected
        assert other.counters is not None
        limiter = MovingWindowRateLimiter(other.counters)
        assert await limiter.hit(RateLimitItemPerMinute(1), "after")
        assert not await limiter.hit(RateLimitItemPerMinute(1), "after")
    gc.collect()


async def _taken(more: asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        await more.acquire()


async def _silent(heard: Subscription) -> bool:
    """Messages are heard again after a failover; that some were missed is told first."""
    try:
        async with asyncio.timeout(0.5):
            return await heard.receive() != b"after"
    except TimeoutError:
        return True


async def test_who_looks_while_a_record_is_on_its_way_takes_its_name_from_no_list(
    cluster: ValkeyCluster,
) -> None:
    """Names are written before records. All of these look at lists, first saves now and then as well."""
    stores = FailoverStores(cluster)
    async with stores.open() as state, stores.open() as other:
        names = [f"e{number}" for number in range(40)]

        async def look() -> None:
            while len(await other.list_executions(ExecutionQuery(ALICE.workspace_id))) < len(names):
                pass

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(look())
            for name in names:
                group.create_task(state.save_execution(record(stores.clock, name)))
        found = await state.list_executions(ExecutionQuery(ALICE.workspace_id))
    assert {one.execution_id for one in found} == set(names)


@pytest.mark.cluster
async def test_scripts_declare_what_they_touch(cluster: ValkeyCluster) -> None:
    """Services that are cluster only refuse a script which does not; MONITOR says what each one did."""
    watching = [await _monitor(node.port) for node in cluster.primaries]
    stores = FailoverStores(cluster)
    async with stores.open() as state:
        await filled(state, stores, 4)
        await state.put_result(ALICE, b"[1]", 60)
        await state.put_result(ALICE, b"[2]", 60)
        first = await state.list_executions(ExecutionQuery(ALICE.workspace_id))
        await state.save_execution(replace(first[0], status="settled"))
        await state.unattended()
        await state.paused_summary()
    for reader, writer in watching:
        writer.write(b"*1\r\n$4\r\nQUIT\r\n")
        lines = (await reader.read()).decode(errors="replace").splitlines()
        writer.close()
        declared: set[str] = set()
        for line in lines:
            words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
            if words[:1] in (["EVALSHA"], ["EVAL"]):
                declared = set(words[3 : 3 + int(words[2])])
            elif " lua]" in line and words[0] != "TIME":
                assert words[1] in declared, line


async def _monitor(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(b"*1\r\n$7\r\nMONITOR\r\n")
    await reader.readline()
    return reader, writer
