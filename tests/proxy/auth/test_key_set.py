"""The life of a key set (T30): what is fetched when, who waits, and what counts while the issuer is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from joserfc.jwk import Key

from integrations.oauth.errors import DiscoveryFailed
from proxy.auth.jwt import BadToken, UnverifiedToken, public_keys, read_jwt
from proxy.auth.key_set import FRESH_SECONDS, PAUSE_SECONDS, RETRY_SECONDS, KeySet, KeysUnavailable
from proxy.tasks import TaskSupervisor
from tests.oauth.issuer import Issuer

ALGORITHMS = ("ES256", "RS256", "EdDSA")


@dataclass
class Life:
    """An issuer without a network, a clock that a test turns, and the set under test. `gate` holds fetches up."""

    issuer: Issuer
    tasks: TaskSupervisor
    now: float = 1000.0
    fetches: int = 0
    down: bool = False
    broken: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.keys = KeySet("issuer", self.fetch, self.tasks, clock=lambda: self.now)

    async def fetch(self) -> Sequence[Key]:
        self.fetches += 1
        self.begun.set()
        await self.gate.wait()
        if self.broken:
            raise OSError(24, "Too many open files")
        if self.down:
            raise DiscoveryFailed("down")
        return public_keys(self.issuer.key_set())

    async def fetched(self) -> None:
        """Until the fetch that is under way has ended."""
        assert self.keys._running is not None
        await self.keys._running

    def token(self, kid: str | None = None) -> UnverifiedToken:
        return read_jwt(self.issuer.token("a", kid=kid))

    async def judge(self, token: UnverifiedToken) -> str:
        try:
            await self.keys.verify(token, ALGORITHMS)
        except BadToken:
            return "bad"
        except KeysUnavailable:
            return "unavailable"
        return "good"


@pytest.fixture
async def life() -> AsyncIterator[Life]:
    issuer = Issuer("https://login.example.com")
    issuer.rotate(kid="first")
    tasks = TaskSupervisor()
    yield Life(issuer, tasks)
    await tasks.close()


async def test_the_first_token_fetches_and_the_next_do_not(life: Life) -> None:
    assert [await life.judge(life.token()) for _ in range(5)] == ["good"] * 5
    assert life.fetches == 1


async def test_many_first_tokens_fetch_once(life: Life) -> None:
    assert set(await asyncio.gather(*(life.judge(life.token()) for _ in range(50)))) == {"good"}
    assert life.fetches == 1


async def test_nothing_known_and_down(life: Life) -> None:
    life.down = True
    assert await life.judge(life.token()) == "unavailable"
    assert await life.judge(life.token()) == "unavailable"
    assert life.fetches == 1, "not more often than callers are told to come back"
    life.now += RETRY_SECONDS
    life.down = False
    assert await life.judge(life.token()) == "good"


async def test_known_and_down(life: Life) -> None:
    assert await life.judge(life.token()) == "good"
    life.down = True
    life.now += 100 * FRESH_SECONDS
    assert await life.judge(life.token()) == "good"
    assert await life.judge(life.token()) == "good"


async def test_a_rotation_is_one_fetch_and_a_withdrawn_key_is_out(life: Life) -> None:
    old = life.token()
    assert await life.judge(old) == "good"
    life.now += PAUSE_SECONDS
    life.issuer.rotate(kid="second")
    answers = await asyncio.gather(*(life.judge(life.token()) for _ in range(20)))
    assert (set(answers), life.fetches) == ({"good"}, 2)
    assert await life.judge(old) == "bad"
    assert life.keys.version == 2


async def test_a_key_withdrawn_without_another_is_out_when_the_set_is_renewed(life: Life) -> None:
    life.issuer.rotate(kid="second", keep=True)
    old = life.token("first")
    assert await life.judge(old) == "good"
    del life.issuer.keys["first"]
    life.now += FRESH_SECONDS + 1
    assert await life.judge(life.token("second")) == "good"
    await asyncio.wait_for(life.begun.wait(), 60)
    await life.fetched()
    assert await life.judge(old) == "bad"


async def test_another_key_under_the_same_id(life: Life) -> None:
    assert await life.judge(life.token()) == "good"
    life.issuer.rotate(kid="first")
    assert await life.judge(life.token()) == "bad", "too early to look again"
    life.now += PAUSE_SECONDS
    assert await life.judge(life.token()) == "good"
    assert life.fetches == 2


async def test_strangers_with_made_up_ids_cannot_make_it_fetch(life: Life) -> None:
    assert await life.judge(life.token()) == "good"
    life.now += PAUSE_SECONDS
    strange = Issuer(life.issuer.url)
    for number in range(300):
        strange.keys = {}
        strange.rotate(kid=f"strange-{number}")
        assert await life.judge(read_jwt(strange.token("a"))) == "bad"
    assert life.fetches == 2


async def test_a_good_token_never_waits_behind_a_stranger(life: Life) -> None:
    assert await life.judge(life.token()) == "good"
    life.now += PAUSE_SECONDS
    life.gate.clear()
    life.begun.clear()
    strange = Issuer(life.issuer.url)
    strange.rotate(kid="strange")
    waiting = asyncio.ensure_future(life.judge(read_jwt(strange.token("a"))))  # noqa: TID251 - awaited below
    await life.begun.wait()
    assert await life.judge(life.token()) == "good"
    assert not waiting.done()
    life.gate.set()
    assert await waiting == "bad"


async def test_who_leaves_stops_nothing(life: Life) -> None:
    life.gate.clear()
    leaving = asyncio.ensure_future(life.judge(life.token()))  # noqa: TID251 - cancelled below
    await life.begun.wait()
    leaving.cancel()
    staying = asyncio.ensure_future(life.judge(life.token()))  # noqa: TID251 - awaited below
    life.gate.set()
    assert await staying == "good"
    assert life.fetches == 1


async def test_a_set_without_usable_keys_is_a_failure(life: Life) -> None:
    assert await life.judge(life.token()) == "good"
    life.issuer.published = {"keys": [{"kty": "oct", "k": "AAAA"}, "nonsense"]}
    life.now += FRESH_SECONDS + 1
    assert await life.judge(life.token()) == "good"
    await life.fetched()
    assert await life.judge(life.token()) == "good"


async def test_without_an_id_at_most_four_keys_are_tried(life: Life) -> None:
    for number in range(3):
        life.issuer.rotate(kid=f"more-{number}", keep=True)
    nameless = read_jwt(life.issuer.token("a", kid="first", header={"kid": None}))
    assert await life.judge(nameless) == "good"
    life.issuer.rotate(kid="fifth", keep=True)
    life.now += PAUSE_SECONDS
    assert await life.judge(life.token("fifth")) == "good"
    assert await life.judge(nameless) == "bad"


async def test_other_algorithms_are_not_even_looked_up(life: Life) -> None:
    with pytest.raises(BadToken, match="in a way that is not accepted"):
        await life.keys.verify(life.token(), ("RS256",))
    assert life.fetches == 0


async def test_a_fetch_that_fails_unforeseen_is_counted_and_the_next_one_works(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    def failures() -> float:
        return life.tasks.metrics.value("executor_task_failures_total", task="issuer") or 0.0

    life.broken = True
    assert await life.judge(life.token()) == "unavailable"
    assert failures() == 1
    assert "Too many open files" in caplog.text
    life.broken = False
    life.now += RETRY_SECONDS
    assert await life.judge(life.token()) == "good"
    life.broken = True
    life.now += FRESH_SECONDS + 1
    assert await life.judge(life.token()) == "good"  # and nobody waits for the fetch
    with pytest.raises(OSError, match="Too many"):
        await life.fetched()
    assert failures() == 2
