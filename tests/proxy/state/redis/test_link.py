"""Asking Redis: what is tried again, what is refused, and within which bounds."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from redis import exceptions

from proxy.state import Owner, StateUnavailable, StateUnreadable
from proxy.state.redis.link import Link, RedisRow, owned, readable, seconds, text, unavailable
from tests.proxy.state.stores import Clock
from tests.proxy.support import logged


def link(limit_seconds: float = 10.0, clock: Clock | None = None) -> Link:
    return Link(redis.asyncio.Redis(), "executor", clock, limit_seconds)


class Failing:
    """Raises these, one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("gone"),
        exceptions.BusyLoadingError("loading"),
        exceptions.ReadOnlyError("a replica now"),
        exceptions.TimeoutError("slow"),
        ConnectionResetError("reset"),
    ],
)
async def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert await link().ask(Failing(error, error)) == "answer"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.AuthenticationError("WRONGPASS"), "refuses our password"),
        (exceptions.NoPermissionError("this user has no permissions"), "does not let us"),
        (exceptions.OutOfMemoryError("command not allowed"), "no memory left"),
        (exceptions.ResponseError("MISCONF cannot persist to disk"), "MISCONF"),
    ],
)
async def test_what_will_not_pass_is_told_at_once(error: Exception, words: str) -> None:
    question = Failing(error, error)
    with pytest.raises(StateUnavailable, match=words):
        await link().ask(question)
    assert len(question.errors) == 1


async def test_every_call_has_its_limit() -> None:
    with pytest.raises(StateUnavailable, match="does not answer"):
        await link(0.05).ask(asyncio.Event().wait)
    with pytest.raises(StateUnavailable, match="does not answer: gone"):
        await link(0.05).ask(Failing(*[exceptions.ConnectionError("gone")] * 100))


def test_by_the_servers_time_what_is_found_has_not_expired() -> None:
    clock = Clock(100.0)
    assert link().live(1.0)
    assert link(clock=clock).live(None)
    assert link(clock=clock).live(100.5)
    assert not link(clock=clock).live(100.0)


def test_owners_have_keys_of_one_length_and_their_own() -> None:
    owners = [Owner("a", "bc"), Owner("ab", "c"), Owner("a:b", "c"), Owner("\ud800", "")]
    assert len({owned(owner) for owner in owners}) == 4
    assert {len(owned(owner)) for owner in owners} == {32}


def test_values_of_redis() -> None:
    assert text("ä".encode()) == "ä"
    assert seconds(b"") is None
    assert seconds(b"1.5") == 1.5


def test_an_error_without_words_is_named() -> None:
    assert "TimeoutError" in str(unavailable(TimeoutError()))


async def test_the_log_tells_once_that_redis_is_away_and_once_that_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asking = link(limit_seconds=0.01)
    caplog.set_level("INFO")
    for _ in range(3):
        with pytest.raises(StateUnavailable):
            await asking.ask(Failing(*[exceptions.ConnectionError("gone")] * 9))
    assert [await asking.ask(Failing()) for _ in range(2)] == ["answer", "answer"]
    assert caplog.messages == ["redis_away", "redis_back"]
    assert "Redis does not answer: gone" in logged(caplog)
    assert "away_seconds=" in logged(caplog)


def test_unreadable_rows_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def made(row: RedisRow) -> int:
        if row[0] == 2:
            raise StateUnreadable("the stored token was encrypted with key 0badcafe")
        return int(row[0])

    assert readable([(1,), (2,), (3,)], made) == (1, 3)
    assert "0badcafe" in logged(caplog)


async def test_only_so_many_calls_are_under_way() -> None:
    """A burst waits for places, and opens no more connections than there are places."""
    few = Link(redis.asyncio.Redis(), "executor", None, 10.0, most_calls=2)
    running, most = 0, 0

    async def question() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(few.ask(question) for _ in range(9)))
    assert most == 2
