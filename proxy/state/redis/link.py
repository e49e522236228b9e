"""Asking Redis: scripts, keys, time, and what happens while it is away.

Rules:
- Every change is one Lua script, so it is atomic, and it is written so that asking twice changes nothing more. A lost
  connection is therefore tried again, until the time of the call is up; then it is `StateUnavailable`.
- Time is the server's, so that replicas with different clocks agree.
- The log tells once that Redis went away, and once that it is back, however many calls fail in between.
- One Redis or Valkey with its replicas, no cluster: scripts find some keys only while they run.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import redis.asyncio
from redis import exceptions
from redis.commands.core import AsyncScript

from proxy.state.records import Owner, StateUnavailable, StateUnreadable
from proxy.telemetry import Logger

T = TypeVar("T")
RedisRow = Sequence[Any]
Argument = str | bytes | int | float
_log: Final = Logger("state")

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


class Link:
    """The way to one Redis. `clock` None: the server's time. `limit_seconds` bounds every call."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        prefix: str,
        clock: Callable[[], float] | None,
        limit_seconds: float,
    ) -> None:
        self.client = client
        self._prefix = prefix
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._scripts: dict[Script, AsyncScript] = {}
        self._away_since: float | None = None

    def key(self, *parts: str) -> str:
        """`executor:<part>:<part>`."""
        return ":".join((self._prefix, *parts))

    def live(self, expires_at: float | None) -> bool:
        """Whether something found has not expired. By the server's time Redis itself has seen to that."""
        return self._clock is None or expires_at is None or expires_at > self._clock()

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """What the script returned. Raises `StateUnavailable`."""
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self.client.register_script(script.text)
        now: Argument = "" if self._clock is None else repr(self._clock())
        return await self.ask(lambda: known(keys, (now, *arguments)))

    async def command(self, *words: Argument) -> Any:
        """What Redis answered to one command. Raises `StateUnavailable`."""
        # The client's own method has no types.
        execute: Callable[..., Awaitable[Any]] = self.client.execute_command
        return await self.ask(lambda: execute(*words))

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, tried until the time is up. Raises `StateUnavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limit_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    answer = await question()
            except (exceptions.RedisError, TimeoutError, OSError) as error:
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
        TimeoutError,
        OSError,
    )
    return isinstance(error, passing)
