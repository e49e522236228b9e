"""The whole store over Redis, and opening it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio
from limits.aio.storage import Storage
from limits.aio.storage.redis import RedisStorage
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from integrations.base import Secret
from proxy.state.held import Held
from proxy.state.keys import KeyRing, key_id
from proxy.state.publications import Hub, Inbox
from proxy.state.records import Caps, StateUnavailable, StateUnreadable
from proxy.state.redis.decisions import RedisDecisions
from proxy.state.redis.entries import RedisEntries
from proxy.state.redis.executions import RedisExecutions
from proxy.state.redis.leases import RedisLeases
from proxy.state.redis.link import Link
from proxy.state.redis.listener import Listener
from proxy.state.redis.results import RedisResults
from proxy.state.redis.sessions import RedisSessions
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

SCHEMA: Final = 1
_PROOF: Final = b"this key opens this store"
_CAPS: Final = Caps()
_log: Final = Logger("state")


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


@asynccontextmanager
async def open_redis(
    url: Secret,
    keys: KeyRing,
    options: RedisOptions,
    clock: Callable[[], float] | None = None,
    tasks: TaskSupervisor | None = None,
) -> AsyncIterator[RedisState]:
    """The store behind this URL (`redis://`, `rediss://`, `unix://`). Raises `StateUnavailable`.

    `clock` None: the server's time, as replicas need it.
    """
    async with _client(url, options) as client:
        link = Link(client, options.prefix, clock, options.limit_seconds)
        await _prepare(link, keys)
        hub = Hub()
        listener = Listener(link, keys, hub, options.quiet_seconds, tasks or TaskSupervisor())
        try:
            await listener.start(options.limit_seconds)
            yield RedisState(link, keys, options.caps, listener, hub, _counters(client, options))
        except TimeoutError as error:
            raise StateUnavailable("Redis does not let us subscribe to messages.") from error
        finally:
            await listener.stop()


@asynccontextmanager
async def _client(url: Secret, options: RedisOptions) -> AsyncIterator[redis.asyncio.Redis]:
    """Trying again is `Link`'s business, so the client itself does not."""
    try:
        pool: Any = redis.asyncio.BlockingConnectionPool.from_url(
            url.reveal(),
            max_connections=options.connections,
            timeout=options.limit_seconds,
            socket_timeout=options.limit_seconds,
            socket_connect_timeout=options.limit_seconds,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # The text of the error may show the URL, and that its password.
        raise StateUnavailable(
            "`state.url` is not a Redis URL: redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH."
        ) from None
    client = redis.asyncio.Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.aclose()


async def _prepare(link: Link, keys: KeyRing) -> None:
    """See that what is stored is of our version and opened by our keys. Raises `StateUnavailable`."""
    await link.command("SET", link.key("schema"), SCHEMA, "NX")
    found = await link.command("GET", link.key("schema"))
    if int(found or 0) != SCHEMA:
        raise StateUnavailable(
            f"What Redis holds was written by another version (schema {int(found or 0)}, this one knows {SCHEMA}). "
            "Run that version, or use another database in `state.url`."
        )
    await _prove(link, keys)
    await _look_at_eviction(link)


async def _prove(link: Link, keys: KeyRing) -> None:
    name = link.key("proof")
    sealed = keys.seal(_PROOF, "proof")
    await link.command("SET", name, sealed, "NX")
    proof = await link.command("GET", name)
    assert isinstance(proof, bytes)
    try:
        keys.open(proof, "proof")
    except StateUnreadable as error:
        raise StateUnavailable(
            f"What Redis holds was encrypted with other keys (the last one was {key_id(proof).hex()}). Add the old "
            "key as a further line after the new one in `state.encryption_key`, or use another database."
        ) from error
    if key_id(proof) != keys.first_id:
        await link.command("SET", name, sealed)


async def _look_at_eviction(link: Link) -> None:
    memory = await link.ask(lambda: link.client.info("memory"))
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if memory.get("maxmemory") and policy != "noeviction":
        _log.warning(
            "redis_evicts",
            policy=policy,
            detail="paused executions may be thrown away when its memory is full: set maxmemory-policy noeviction",
        )


def _counters(client: redis.asyncio.Redis, options: RedisOptions) -> Storage:
    """The `limits` package over our connections. Its failures come as `limits.errors.StorageError`."""
    pool: Any = client.connection_pool
    return RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=f"{options.prefix}:limits",
        connection_pool=pool,
    )
