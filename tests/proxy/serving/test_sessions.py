from __future__ import annotations

import anyio
import pytest

from proxy.serving.errors import Refusal
from proxy.serving.sessions import Sessions, Stream, owner_of
from tests.proxy.serving.support import TOKENS

ALICE, BOB = TOKENS["alice"], TOKENS["bob"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kind(sessions: Sessions, session_id: str) -> str:
    with pytest.raises(Refusal) as caught:
        sessions.use(session_id, ALICE)
    return caught.value.kind


def test_owner_is_the_account_in_its_workspace() -> None:
    assert owner_of(ALICE) == owner_of(TOKENS["alice-too"]) == ("ws_one", "key:alice")
    assert owner_of(ALICE) != owner_of(TOKENS["eve"])


def test_time_to_live_slides() -> None:
    clock = Clock()
    sessions = Sessions(clock, ttl_seconds=10)
    session = sessions.open(ALICE, "2025-11-25", None, "model")
    clock.now = 9
    assert sessions.use(session.id, ALICE) is session
    clock.now = 18
    assert sessions.use(session.id, ALICE) is session
    clock.now = 28
    assert kind(sessions, session.id) == "unknown_session"
    assert len(sessions) == 0


async def test_a_session_with_a_running_request_does_not_expire() -> None:
    clock = Clock()
    sessions = Sessions(clock, ttl_seconds=10)
    session = sessions.open(ALICE, "2025-11-25", None, "model")
    session.presence.running[1] = anyio.CancelScope()
    clock.now = 100
    assert sessions.use(session.id, ALICE) is session


async def test_an_idle_session_behind_a_running_one_expires_all_the_same() -> None:
    clock = Clock()
    sessions = Sessions(clock, ttl_seconds=10)
    busy = sessions.open(ALICE, "2025-11-25", None, "model")
    idle = sessions.open(ALICE, "2025-11-25", None, "model")
    busy.presence.running[1] = anyio.CancelScope()
    clock.now = 100
    assert kind(sessions, idle.id) == "unknown_session"


async def test_closing_ends_the_stream_and_cancels_what_runs() -> None:
    sessions = Sessions(Clock())
    session = sessions.open(ALICE, "2025-11-25", None, "model")
    stream, scope = Stream(), anyio.CancelScope()
    session.presence.stream, session.presence.running[1] = stream, scope
    sessions.close(session)
    sessions.close(session)
    assert scope.cancel_called
    assert not stream.offer(b"x")
    stream.close()
    assert kind(sessions, session.id) == "unknown_session"


def test_an_owner_at_the_cap_loses_its_oldest_and_nobody_elses() -> None:
    sessions = Sessions(Clock(), limit_per_owner=2)
    other = sessions.open(BOB, "2025-11-25", None, "model")
    first, second = (sessions.open(ALICE, "2025-11-25", None, "model") for _ in range(2))
    sessions.use(first.id, ALICE)
    sessions.open(ALICE, "2025-11-25", None, "model")
    assert kind(sessions, second.id) == "unknown_session"
    assert sessions.use(first.id, ALICE) is first
    assert sessions.use(other.id, BOB) is other


def test_a_full_store_refuses() -> None:
    sessions = Sessions(Clock(), limit=1)
    sessions.open(ALICE, "2025-11-25", None, "model")
    with pytest.raises(Refusal) as caught:
        sessions.open(BOB, "2025-11-25", None, "model")
    assert caught.value.fault.status == 503


async def test_a_stream_nobody_reads_ends_instead_of_growing() -> None:
    stream = Stream(size=2)
    assert stream.offer(b"1")
    assert stream.offer(b"2")
    assert not stream.offer(b"3")
    assert [await stream.next(), await stream.next(), await stream.next()] == [b"1", b"2", None]
    stream.close()


def test_end_streams_leaves_the_sessions() -> None:
    sessions = Sessions(Clock())
    session = sessions.open(ALICE, "2025-11-25", None, "model")
    session.presence.stream = Stream()
    sessions.open(ALICE, "2025-11-25", None, "model")
    sessions.end_streams()
    assert not session.presence.stream.offer(b"x")
    session.presence.stream.close()
    assert len(list(sessions)) == 2
