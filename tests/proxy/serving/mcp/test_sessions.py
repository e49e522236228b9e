from __future__ import annotations

import anyio
import pytest

from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp.replicas import ReplicaBus
from proxy.serving.mcp.sdk import Handshake
from proxy.serving.mcp.sessions import HandshakeSessions, Stream, owner_of
from proxy.state import Owner
from proxy.state.memory import MemoryState
from tests.proxy.serving.support import TOKENS

ALICE, BOB = TOKENS["alice"], TOKENS["bob"]
SHAKE = Handshake("2025-11-25", None)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Replica:
    """HandshakeSessions over a store; two of them over one store are two replicas."""

    def __init__(self, store: MemoryState, ttl: float = 10, limit: int = 100, per_owner: int = 100) -> None:
        bus = ReplicaBus(store)
        self.sessions = HandshakeSessions(store, bus, ttl_seconds=ttl, limit=limit, limit_per_owner=per_owner)


async def kind(sessions: HandshakeSessions, session_id: str) -> str:
    with pytest.raises(RequestRefusal) as caught:
        await sessions.use(session_id, ALICE)
    return caught.value.kind


def test_owner_is_the_account_in_its_workspace() -> None:
    assert owner_of(ALICE) == owner_of(TOKENS["alice-too"]) == Owner("ws_one", "key:alice")
    assert owner_of(ALICE) != owner_of(TOKENS["eve"])


async def test_time_to_live_slides() -> None:
    clock = Clock()
    replica = Replica(MemoryState(clock=clock))
    session = await replica.sessions.open(ALICE, SHAKE, None)
    clock.now = 9
    assert (await replica.sessions.use(session.id, ALICE)).local is session.local
    clock.now = 18
    await replica.sessions.use(session.id, ALICE)
    assert await replica.sessions.prolong(session)
    clock.now = 29
    assert await kind(replica.sessions, session.id) == "unknown_session"
    assert not await replica.sessions.prolong(session)
    assert list(replica.sessions) == []


async def test_every_replica_knows_a_session_with_all_it_was_opened_with() -> None:
    store = MemoryState(clock=Clock())
    here, there = Replica(store), Replica(store)
    opened = await here.sessions.open(ALICE, SHAKE, "browser")
    opened.local.state.log_level = "warning"
    await here.sessions.save(opened)
    found = await there.sessions.use(opened.id, TOKENS["alice-too"])
    assert (found.handshake, found.requested_mode, found.owner) == (SHAKE, "browser", opened.owner)
    assert found.local.state.log_level == "warning"
    with pytest.raises(RequestRefusal) as refused:
        await there.sessions.use(opened.id, BOB)
    assert refused.value.fault.status == 403
    await there.sessions.close(found)
    assert await kind(here.sessions, opened.id) == "unknown_session"


async def test_closing_ends_the_stream_and_cancels_what_runs() -> None:
    replica = Replica(MemoryState(clock=Clock()))
    session = await replica.sessions.open(ALICE, SHAKE, None)
    stream, scope = Stream(), anyio.CancelScope()
    session.local.stream, session.local.running[1] = stream, scope
    await replica.sessions.close(session)
    await replica.sessions.close(session)
    assert scope.cancel_called
    assert not stream.offer(b"x")
    stream.close()
    assert await kind(replica.sessions, session.id) == "unknown_session"


async def test_an_owner_at_the_cap_loses_its_oldest_and_nobody_elses() -> None:
    clock = Clock()
    replica = Replica(MemoryState(clock=clock), per_owner=2)
    sessions = replica.sessions
    other = await sessions.open(BOB, SHAKE, None)
    first, second = [await sessions.open(ALICE, SHAKE, None) for _ in range(2)]
    clock.now = 5
    await sessions.use(first.id, ALICE)
    await sessions.open(ALICE, SHAKE, None)
    assert await kind(sessions, second.id) == "unknown_session"
    assert (await sessions.use(first.id, ALICE)).id == first.id
    assert (await sessions.use(other.id, BOB)).id == other.id


async def test_a_full_store_refuses() -> None:
    replica = Replica(MemoryState(clock=Clock()), limit=1)
    await replica.sessions.open(ALICE, SHAKE, None)
    with pytest.raises(RequestRefusal) as caught:
        await replica.sessions.open(BOB, SHAKE, None)
    assert caught.value.fault.status == 503
    assert caught.value.headers["retry-after"] == "60"


async def test_a_stream_nobody_reads_ends_instead_of_growing() -> None:
    stream = Stream(size=2)
    assert stream.offer(b"1")
    assert stream.offer(b"2")
    assert not stream.offer(b"3")
    assert [await stream.next(), await stream.next(), await stream.next()] == [b"1", b"2", None]
    stream.close()


async def test_end_streams_leaves_the_sessions() -> None:
    replica = Replica(MemoryState(clock=Clock()))
    session = await replica.sessions.open(ALICE, SHAKE, None)
    session.local.stream = Stream()
    await replica.sessions.open(ALICE, SHAKE, None)
    replica.sessions.end_streams()
    assert not session.local.stream.offer(b"x")
    session.local.stream.close()
    assert len(list(replica.sessions)) == 2
