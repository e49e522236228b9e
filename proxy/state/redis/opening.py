"""Opening the store over Redis: the client for the form that it has, and whether what is stored is ours."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import redis.asyncio
from limits.aio.storage import Storage
from limits.aio.storage.redis import RedisClusterStorage, RedisStorage
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from integrations.base import Secret
from proxy.config.redis_address import RedisAddress, RedisForm, read_address
from proxy.state.keys import KeyRing, key_id
from proxy.state.publications import Hub
from proxy.state.records import StateUnavailable, StateUnreadable
from proxy.state.redis.cluster import RedisClusterState
from proxy.state.redis.link import Link, RedisClient
from proxy.state.redis.listener import Listener
from proxy.state.redis.store import RedisOptions, RedisState
from proxy.state.redis.tls import share_in_cluster, share_in_pool
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

SCHEMA: Final = 1
_PROOF: Final = b"this key opens this store"
_SINGLE: Final = RedisForm()
# Connections to one node of a cluster, or to whoever Sentinel names. Without a free one a call tries again.
_MOST_CONNECTIONS: Final = 256
# A server that is silent for so long is left, even where a call may take longer: another one may have taken over.
_SOCKET_SECONDS: Final = 3.0
_log: Final = Logger("state")


@asynccontextmanager
async def open_redis(
    url: Secret,
    keys: KeyRing,
    options: RedisOptions,
    clock: Callable[[], float] | None = None,
    tasks: TaskSupervisor | None = None,
    form: RedisForm = _SINGLE,
) -> AsyncIterator[RedisState]:
    """The store behind this URL (`redis://`, `rediss://`, `unix://`) in this form. Raises `StateUnavailable`.

    `clock` None: the server's time, as replicas need it.
    """
    async with _client(url, form, options) as (client, counters):
        link = Link(client, options.prefix, clock, options.limit_seconds, options.connections)
        await _prepare(link, keys)
        hub = Hub()
        listener = Listener(link, keys, hub, options.quiet_seconds, tasks or TaskSupervisor())
        kind = RedisClusterState if form.cluster else RedisState
        try:
            await _started(listener, options)
            yield kind(link, keys, options.caps, listener, hub, counters)
        finally:
            await listener.stop()


async def _started(listener: Listener, options: RedisOptions) -> None:
    try:
        await listener.start(options.limit_seconds)
    except TimeoutError as error:
        raise StateUnavailable("Redis does not let us subscribe to messages.") from error


@asynccontextmanager
async def _client(
    url: Secret, form: RedisForm, options: RedisOptions
) -> AsyncIterator[tuple[RedisClient, Storage]]:
    """The client, and the counters of rate limits over it. Trying again is `Link`'s business, so neither does."""
    try:
        address = read_address(url.reveal(), form)
        context = _context(address, form)
    except ValueError as error:
        # The text of the error never shows the URL, which may hold a password.
        raise StateUnavailable(f"`state.url` {error}") from None
    except (OSError, ssl.SSLError) as error:
        raise StateUnavailable(f"`state.tls` cannot be used: {error}") from None
    limits = {
        "socket_timeout": min(options.limit_seconds, _SOCKET_SECONDS),
        "socket_connect_timeout": min(options.limit_seconds, _SOCKET_SECONDS),
        "retry": Retry(NoBackoff(), 0),
    }
    if form.cluster:
        async with _cluster(address, limits, context, options) as found:
            yield found
        return
    pool = _pool(url, address, form, limits, context, options)
    client = redis.asyncio.Redis(connection_pool=pool)
    try:
        yield client, _counters(pool, options)
    finally:
        await client.aclose()
        await pool.aclose()
        for one in pool.sentinel_manager.sentinels if form.sentinel is not None else ():
            await one.aclose()


def _pool(
    url: Secret,
    address: RedisAddress,
    form: RedisForm,
    settings: dict[str, Any],
    context: ssl.SSLContext | None,
    options: RedisOptions,
) -> Any:
    if form.sentinel is None:
        single: Any = redis.asyncio.BlockingConnectionPool.from_url(
            url.reveal(), max_connections=options.connections, timeout=options.limit_seconds, **settings
        )
        share_in_pool(single, context)
        return single
    secure = {"ssl": True} if address.tls else {}
    own = {"username": form.sentinel_user, "password": _revealed(form.sentinel_password)}
    watchers: Any = Sentinel
    sentinel = watchers(
        address.nodes,
        sentinel_kwargs={**settings, **secure, **own},
        **{**settings, **secure},
        username=address.username,
        password=address.password,
        db=address.database,
        max_connections=_MOST_CONNECTIONS,
    )
    pool = sentinel.master_for(form.sentinel).connection_pool
    for one in (pool, *(watcher.connection_pool for watcher in sentinel.sentinels)):
        share_in_pool(one, context)
    return pool


@asynccontextmanager
async def _cluster(
    address: RedisAddress, settings: dict[str, Any], context: ssl.SSLContext | None, options: RedisOptions
) -> AsyncIterator[tuple[RedisClient, Storage]]:
    given: dict[str, Any] = {
        **settings,
        "username": address.username,
        "password": address.password,
        "ssl": address.tls,
        "require_full_coverage": False,
        "max_connections": _MOST_CONNECTIONS,
    }
    client = redis.asyncio.RedisCluster(startup_nodes=_nodes(address), **given)
    counters = RedisClusterStorage(
        "async+redis+cluster://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=f"{options.prefix}:limits",
        startup_nodes=_nodes(address),  # type: ignore[arg-type]
        **given,
    )
    bridge: Any = counters.bridge
    counting: Any = bridge.get_connection()
    for one in (client, counting):
        share_in_cluster(one, context)
    try:
        yield client, counters
    finally:
        for one in (client, counting):
            await one.aclose()
            # A client that is about to look at the cluster anew has closed nothing.
            await one.nodes_manager.aclose()
            await one.nodes_manager.aclose("startup_nodes")


def _nodes(address: RedisAddress) -> list[ClusterNode]:
    return [ClusterNode(host, port) for host, port in address.nodes]


def _context(address: RedisAddress, form: RedisForm) -> ssl.SSLContext | None:
    """For all connections of the store. The files are read here, so that one that cannot be used is told by name."""
    if not address.tls:
        return None
    context = ssl.create_default_context(cafile=form.ca)
    if form.cert is not None:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(form.cert, form.key, password="")
    return context


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


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
    """Told, not refused: some services do not let anybody set it, and some users must not ask."""
    try:
        said = await link.ask(lambda: link.client.info("memory"))
    except StateUnavailable as error:
        _log.warning(
            "redis_eviction_unknown", detail=f"whether it throws entries away cannot be asked: {error}"
        )
        return
    # A cluster answers for each of its nodes.
    nodes = list(said.values()) if link.in_cluster and "maxmemory" not in said else [said]
    for policy in {str(one["maxmemory_policy"]) for one in nodes if one.get("maxmemory")} - {"noeviction"}:
        _log.warning(
            "redis_evicts",
            policy=policy,
            detail="paused executions may be thrown away when its memory is full: set maxmemory-policy noeviction",
        )


def _counters(pool: Any, options: RedisOptions) -> Storage:
    """The `limits` package over our connections. Its failures come as `limits.errors.StorageError`."""
    return RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=f"{options.prefix}:limits",
        connection_pool=pool,
    )
