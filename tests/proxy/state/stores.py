"""Stores under test: a clock that stands still, and ways to open each backend, twice over the same data if asked."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from integrations.base import Secret
from proxy.state import Caps, ExecutionRecord, MemoryCaps, MemoryState, Owner, State
from proxy.state.keys import KeyRing
from proxy.state.redis import RedisOptions, open_redis
from proxy.state.sqlite import SqliteOptions, open_sqlite
from proxy.tasks import TaskSupervisor
from tests.proxy.state.clusters import ValkeyCluster, WatchedPrimary
from tests.proxy.state.servers import RedisServer

ALICE = Owner("one", "key:alice")
BOB = Owner("one", "key:bob")
EVE = Owner("two", "key:alice")
OLD_KEY = Secret("the key of last year, long enough")
NEW_KEY = Secret("the key of this year, long enough")


@dataclass
class Clock:
    """Seconds since 1970, moved by hand."""

    now: float = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


class Stores(Protocol):
    """One set of data. Every `open` is another replica on it."""

    clock: Clock

    def open(self, caps: Caps | None = None) -> AbstractAsyncContextManager[State]: ...


@dataclass
class MemoryStores:
    clock: Clock = field(default_factory=Clock)
    state: MemoryState | None = None

    @asynccontextmanager
    async def open(self, caps: Caps | None = None) -> AsyncIterator[State]:
        caps = caps or Caps()
        mine = MemoryCaps(
            caps.journal_bytes, caps.journal_ttl_seconds, caps.result_bytes, caps.owner_result_bytes
        )
        self.state = self.state or MemoryState(mine, self.clock)
        yield self.state


@dataclass
class SqliteStores:
    path: Path
    clock: Clock = field(default_factory=Clock)
    keys: tuple[Secret, ...] = (OLD_KEY,)

    @asynccontextmanager
    async def open(self, caps: Caps | None = None) -> AsyncIterator[State]:
        options = SqliteOptions(caps=caps or Caps())
        async with open_sqlite(self.path, KeyRing(self.keys), self.clock, options) as state:
            yield state


@dataclass
class RedisStores:
    """`clock` is used by the scripts instead of the server's time."""

    server: RedisServer
    clock: Clock = field(default_factory=Clock)
    keys: tuple[Secret, ...] = (OLD_KEY,)
    prefix: str = field(default_factory=lambda: f"test-{secrets.token_hex(6)}")
    limit_seconds: float = 10.0
    quiet_seconds: float = 5.0
    tasks: TaskSupervisor | None = None

    @asynccontextmanager
    async def open(self, caps: Caps | None = None) -> AsyncIterator[State]:
        options = RedisOptions(
            self.prefix, self.limit_seconds, quiet_seconds=self.quiet_seconds, caps=caps or Caps()
        )
        keys = KeyRing(self.keys)
        async with open_redis(Secret(self.server.url), keys, options, self.clock, self.tasks) as state:
            yield state


@dataclass
class FailoverStores:
    """Servers of which one may die."""

    servers: ValkeyCluster | WatchedPrimary
    clock: Clock = field(default_factory=Clock)
    prefix: str = field(default_factory=lambda: f"test-{secrets.token_hex(6)}")
    limit_seconds: float = 45.0

    @asynccontextmanager
    async def open(self, caps: Caps | None = None) -> AsyncIterator[State]:
        options = RedisOptions(self.prefix, self.limit_seconds, caps=caps or Caps())
        url, keys = Secret(self.servers.url), KeyRing([OLD_KEY])
        async with open_redis(url, keys, options, self.clock, form=self.servers.form) as state:
            yield state


def record(
    clock: Clock, execution_id: str = "exec_1", owner: Owner = ALICE, **more: object
) -> ExecutionRecord:
    """A running execution that is kept for an hour."""
    fields: dict[str, object] = {
        "status": "running",
        "created_at": clock.now,
        "expires_at": clock.now + 3600,
        "body": b"{}",
        **more,
    }
    return ExecutionRecord(execution_id, owner, **fields)  # type: ignore[arg-type]
