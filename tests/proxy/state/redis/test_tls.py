"""One context for all connections; whole stores over TLS are in `test_cluster.py`."""

from __future__ import annotations

import ssl
from typing import Any

import redis.asyncio
from redis.asyncio.connection import SSLConnection

from proxy.state.redis.tls import share_in_cluster, share_in_pool


def test_connections_of_a_pool_have_the_one_context() -> None:
    context = ssl.create_default_context()
    pool: Any = redis.asyncio.ConnectionPool.from_url("rediss://localhost:1")
    share_in_pool(pool, context)
    made = [pool.make_connection() for _ in range(2)]
    assert all(isinstance(one, SSLConnection) and one.ssl_context.get() is context for one in made)
    plain: Any = redis.asyncio.ConnectionPool.from_url("redis://localhost:1")
    share_in_pool(plain, None)
    assert not isinstance(plain.make_connection(), SSLConnection)


def test_nodes_of_a_cluster_have_the_one_context() -> None:
    context = ssl.create_default_context()
    client = redis.asyncio.RedisCluster(host="localhost", port=1, ssl=True)
    share_in_cluster(client, context)
    nodes: Any = client.nodes_manager.startup_nodes.values()
    (node,) = nodes
    assert node.acquire_connection().ssl_context.get() is context
    assert node.connection_class is client.nodes_manager.connection_kwargs["connection_class"]
