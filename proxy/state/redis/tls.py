"""TLS to Redis: all connections of a store share one context.

The client would make one for each connection, and reading the authorities of the system takes up to 0.2 s of the event
loop: a burst of calls that opens connections would stop everything else, and run out of its own time.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import redis.asyncio
from redis.asyncio.connection import SSLConnection


def sharing(kind: Any, context: ssl.SSLContext) -> Any:
    """A class of connections like `kind`, a subclass of `SSLConnection`, that use this context."""

    class SharingConnection(kind):  # type: ignore[misc]
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self.ssl_context.context = context

        async def _send_packed_command(self, command: Iterable[bytes]) -> None:
            try:
                await super()._send_packed_command(command)
            except AttributeError as error:
                # What asyncio says of TLS that somebody closed meanwhile; the client tries again what was reset.
                raise ConnectionResetError("the connection was closed meanwhile") from error

    return SharingConnection


def share_in_pool(pool: Any, context: ssl.SSLContext | None) -> None:
    """For the connections that this pool opens from now on. None: it does not speak TLS."""
    if context is not None:
        pool.connection_class = sharing(pool.connection_class, context)


def share_in_cluster(client: redis.asyncio.RedisCluster, context: ssl.SSLContext | None) -> None:
    """For all nodes, those that are found later included. None: it does not speak TLS."""
    if context is None:
        return
    kind = sharing(SSLConnection, context)
    manager = client.nodes_manager
    for settings in (client.connection_kwargs, manager.connection_kwargs):
        settings["connection_class"] = kind
    for node in manager.startup_nodes.values():
        node.connection_class = kind
