"""Asking Redis: scripts, keys, time, and what happens while it is away.

Rules:
- Every change is one Lua script, so it is atomic, and it is written so that asking twice changes nothing more. A lost
  connection is therefore tried again, until the time of the call is up; then it is `StateUnavailable`.
- Time is the server's, so that replicas with different clocks agree.
- The log tells once that Redis went away, and once that it is back, however many calls fail in between.
- Only so many calls are under way at a time: a client of a cluster, or of Sentinel's, would open a connection for each
  of a burst, and the handshakes of TLS would take longer than a node may be silent.
- In a cluster a script touches keys of one slot only: those of one execution, of one kind of entries in a workspace, of
  one owner's results. `cluster.py` has what one server does in one step and a cluster in several.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import redis.asyncio
from redis import exceptions

from proxy.state.records import Owner, StateUnavailable, StateUnreadable
from proxy.telemetry import Logger

T = TypeVar("T")
RedisClient = redis.asyncio.Redis | redis.asyncio.RedisCluster
RedisRow = Sequence[Any]
Argument = str | bytes | int | float
_log: Final = Logger("state")

# What a connection of its own has in common with those of the cluster.
PUBSUB_OPTIONS: Final = (*("username", "password", "socket_connect_timeout", "socket_timeout"),)
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.25
_REFUSALS: Final = (
    (exceptions.AuthenticationError, "refuses our password: correct `state.url`"),
    (exceptions.NoPermissionError, "does not let us do this: its user needs scripts, keys and channels"),
    (exceptions.OutOfMemoryError, "has no memory left: give it more, or find out what fills it"),
)

# Every script starts with this. `now` is the server's time unless the caller's clock is given (tests).
_PRELUDE: Final = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local function lasts(key, seconds)
  local ms = math.max(1, math.ceil(seconds * 1000))
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
local function live(ends)
  return ends and (ends == '' or tonumber(ends) > now)
end
local function holds(lease, token)
  if token == '' then return true end
  local held = redis.call('HMGET', lease, 't', 'e')
  return held[1] == token and live(held[2])
end
"""


class Script:
    """One Lua script, by its digest on the server."""

    def __init__(self, body: str) -> None:
        self.text = _PRELUDE + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """The way to one Redis. `clock` None: the server's time. `limit_seconds` bounds every call, `most_calls` their
    number at a time."""

    def __init__(
        self,
        client: RedisClient,
        prefix: str,
        clock: Callable[[], float] | None,
        limit_seconds: float,
        most_calls: int = 64,
    ) -> None:
        self.client = client
        self._prefix = prefix
        self._clock = clock
        self.limit_seconds = limit_seconds
        self._places = asyncio.Semaphore(most_calls)
        self._away_since: float | None = None

    def key(self, *parts: str) -> str:
        """`executor:<part>:<part>`."""
        return ":".join((self._prefix, *parts))

    @property
    def in_cluster(self) -> bool:
        return isinstance(self.client, redis.asyncio.RedisCluster)

    def tagged(self, name: str) -> str:
        """The part of a key that says which slot of a cluster it is in; one server has none."""
        return f"{{{name}}}" if self.in_cluster else name

    @asynccontextmanager
    async def pubsub(self) -> AsyncIterator[Any]:
        """A subscription. A cluster passes messages on between its nodes, so any of them will do: the next time it is
        another one."""
        client = self.client
        if isinstance(client, redis.asyncio.Redis):
            async with client.pubsub() as pubsub:
                yield pubsub
            return
        await client.initialize()
        node = random.choice(client.get_nodes())  # noqa: S311 - no secret
        options = {name: value for name, value in client.connection_kwargs.items() if name in PUBSUB_OPTIONS}
        own: Any = redis.asyncio.Redis(host=node.host, port=int(node.port), **options)
        own.connection_pool.connection_class = client.connection_kwargs["connection_class"]
        async with own, own.pubsub() as pubsub:
            yield pubsub

    def live(self, expires_at: float | None) -> bool:
        """Whether something found has not expired. By the server's time Redis itself has seen to that."""
        return self._clock is None or expires_at is None or expires_at > self._clock()

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """What the script returned. Raises `StateUnavailable`."""
        now: Argument = "" if self._clock is None else repr(self._clock())
        return await self.ask(lambda: self._evaluated(script, (len(keys), *keys, now, *arguments)))

    async def _evaluated(self, script: Script, arguments: Sequence[Argument]) -> Any:
        """A server that does not know the script yet (it is new, or took over just now) is given it."""
        execute: Callable[..., Awaitable[Any]] = self.client.execute_command
        try:
            return await execute("EVALSHA", script.sha, *arguments)
        except exceptions.NoScriptError:
            return await execute("EVAL", script.text, *arguments)

    async def command(self, *words: Argument) -> Any:
        """What Redis answered to one command. Raises `StateUnavailable`."""
        # The client's own method has no types.
        execute: Callable[..., Awaitable[Any]] = self.client.execute_command
        return await self.ask(lambda: execute(*words))

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, tried until the time is up. Raises `StateUnavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limit_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline), self._places:
                    answer = await question()
            except (exceptions.RedisError, exceptions.RedisClusterException, TimeoutError, OSError) as error:
                cause = _cause(error)
                if not _may_pass(cause) or loop.time() + pause >= deadline:
                    raise self._gone(cause) from error
            else:
                if self._away_since is not None:
                    self._back()
                return answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _gone(self, cause: BaseException) -> StateUnavailable:
        trouble = unavailable(cause)
        if self._away_since is None and _may_pass(cause):
            self._away_since = asyncio.get_running_loop().time()
            _log.warning("redis_away", detail=str(trouble))
        return trouble

    def _back(self) -> None:
        assert self._away_since is not None
        away, self._away_since = asyncio.get_running_loop().time() - self._away_since, None
        _log.info("redis_back", away_seconds=round(away, 1))


def owned(owner: Owner) -> str:
    """The part of a key that stands for an owner: of one length, and without characters of its own meaning."""
    return hashlib.sha256(
        f"{owner.workspace_id}\0{owner.account_id}".encode("utf-8", "surrogatepass")
    ).hexdigest()[:32]


def text(value: Any) -> str:
    """A string that Redis returned."""
    assert isinstance(value, bytes)
    return value.decode("utf-8", "surrogatepass")


def seconds(value: Any) -> float | None:
    """A time that Redis returned; None for the empty string."""
    return float(value) if value else None


def readable(rows: Sequence[RedisRow], made: Callable[[RedisRow], T]) -> tuple[T, ...]:
    """Those that some key opens; of the others the log tells."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(made(row))
        except StateUnreadable as error:
            _log.warning("left_out_of_list", detail=str(error))
    return tuple(found)


def unavailable(error: BaseException) -> StateUnavailable:
    """The same failure with the reason and the way out. Never the address: it may hold a password."""
    for kind, advice in _REFUSALS:
        if isinstance(error, kind):
            return StateUnavailable(f"Redis {advice}. ({error})")
    if isinstance(error, exceptions.ConnectionError | TimeoutError | exceptions.TimeoutError | OSError):
        return StateUnavailable(
            f"Redis does not answer: {_short(error)}. It is asked again with the next call."
        )
    return StateUnavailable(f"Redis refused a request: {_short(error)}.")


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _cause(error: BaseException) -> BaseException:
    """The client wraps what happens while it connects, such as a refused password, into a lost connection."""
    return error.__cause__ if isinstance(error.__cause__, exceptions.RedisError) else error


def _may_pass(error: BaseException) -> bool:
    """Whether asking again soon may help: away, starting, failing over."""
    if isinstance(error, exceptions.AuthenticationError):
        return False
    passing = (
        exceptions.ConnectionError,
        exceptions.TimeoutError,
        exceptions.ReadOnlyError,
        # A cluster that fails over, or whose nodes do not answer.
        exceptions.RedisClusterException,
        exceptions.ClusterError,
        exceptions.TryAgainError,
        exceptions.MasterDownError,
        TimeoutError,
        OSError,
    )
    return isinstance(error, passing)
