"""TLS on connections that we accept: the handshake, before anything else is known of a client.

- The certificate is asked for with each connection, so a new one is used without a restart, and whoever is connected
  stays so.
- HTTP/2 is not offered: its frames cost nothing to send, and a proxy in front has settled limits for them.
- A handshake has as long as the head of a request. While it goes on, the connection counts as slow and may be ended.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from proxy.serving.http.held import HEAD_SECONDS

SHUTDOWN_SECONDS: Final = 5.0


class TlsSource(Protocol):
    """What a listener asks for each connection."""

    def context(self) -> ssl.SSLContext | None:
        """None for plain HTTP."""
        ...

    def failed(self, client: str, error: OSError) -> None:
        """Hears of a handshake that failed."""
        ...


class HandshakeFailed(Exception):
    """The client is gone, speaks something else, or was refused. `TlsSource.failed` has heard why."""


async def accepted(
    sock: socket.socket,
    client: str,
    tls: TlsSource | None,
    protocol: Callable[[], asyncio.BaseProtocol],
) -> asyncio.Transport:
    """The transport of an accepted connection, after its handshake. Raises `HandshakeFailed`."""
    loop = asyncio.get_running_loop()
    context = tls.context() if tls is not None else None
    if tls is None or context is None:
        return (await loop.connect_accepted_socket(protocol, sock))[0]
    try:
        transport, _ = await loop.connect_accepted_socket(
            protocol,
            sock,
            ssl=context,
            ssl_handshake_timeout=HEAD_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
    except OSError as error:
        tls.failed(client, error)
        raise HandshakeFailed from None
    return transport
