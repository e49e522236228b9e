"""The whole store over one Redis, with or without Sentinel."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from limits.aio.storage import Storage

from proxy.state.held import Held
from proxy.state.keys import KeyRing
from proxy.state.publications import Hub, Inbox
from proxy.state.records import Caps
from proxy.state.redis.decisions import RedisDecisions
from proxy.state.redis.entries import RedisEntries
from proxy.state.redis.executions import RedisExecutions
from proxy.state.redis.leases import RedisLeases
from proxy.state.redis.link import Link
from proxy.state.redis.listener import Listener
from proxy.state.redis.results import RedisResults
from proxy.state.redis.sessions import RedisSessions

_CAPS: Final = Caps()


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """`prefix` begins every key. `limit_seconds` bounds every call, `connections` their number at a time.

    `quiet_seconds`: how long the channel for messages may be silent before its connection is looked at.
    """

    prefix: str = "executor"
    limit_seconds: float = 3.0
    connections: int = 64
    quiet_seconds: float = 5.0
    caps: Caps = _CAPS


class RedisState(RedisExecutions, RedisDecisions, RedisResults, RedisSessions, RedisLeases, RedisEntries):
    """Implements `State`. Messages and counters are shared by all replicas."""

    def __init__(
        self, link: Link, keys: KeyRing, caps: Caps, listener: Listener, hub: Hub, counters: Storage
    ) -> None:
        super().__init__(link, keys, caps, Held())
        self._listener = listener
        self._hub = hub
        self._counters = counters

    @property
    def durable(self) -> bool:
        return True

    @property
    def counters(self) -> Storage | None:
        return self._counters

    async def publish(self, topic: str, message: bytes) -> None:
        await self._listener.publish(topic, message)

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Inbox]:
        return self._hub.subscribe(topic)

    async def check(self) -> None:
        await self._link.command("SET", self._link.key("probe"), b"1", "PX", 60_000)
