"""Dialling: resolve once, check every address, connect to a checked address and to no other.

The name is never looked up a second time, so an answer that changes between check and connect (DNS rebinding) has no
effect. TLS still verifies the certificate against the name, because httpcore2 takes the server name from the URL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import httpcore2
from httpcore2._backends.anyio import AnyIOStream

from integrations.http.egress import EgressRules, parse_address, permits
from integrations.http.errors import EgressDenied
from integrations.http.interim import InterimBoundStream

ResolveHost = Callable[[str, int], Awaitable[list[str]]]
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
_MAX_ADDRESSES = 6


async def system_resolve(host: str, port: int) -> list[str]:
    """Addresses of a host in the order the system prefers. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """The network backend of httpcore2, with the egress rules of one integration built in."""

    def __init__(self, rules: EgressRules, resolve: ResolveHost) -> None:
        self._rules = rules
        self._resolve = resolve
        # A cast, because the package defines a stand-in of that name for where anyio is missing.
        self._inner = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._addresses(host, port, timeout)
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses:
            try:
                return await self._dial(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def _dial(
        self,
        address: str,
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[_SocketOption] | None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return InterimBoundStream(stream) if isinstance(stream, AnyIOStream) else stream

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Checked addresses, at least one. Raises `EgressDenied` when there are only forbidden ones."""
        try:
            async with asyncio.timeout(timeout):
                found = [host] if parse_address(host) else await self._resolve(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"looking up {host} took too long") from None
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be looked up: {error}") from None
        good = [text for text in found if self._permitted(text, host, port)]
        if not good:
            shown = ", ".join(found[:3]) or "no address"
            raise EgressDenied(
                f"{host} is {shown}: private, local and metadata addresses are refused"
                " unless the integration's egress.allow names them"
            )
        return good[:_MAX_ADDRESSES]

    def _permitted(self, text: str, host: str, port: int) -> bool:
        address = parse_address(text)
        return address is not None and permits(address, host, port, self._rules)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise EgressDenied("unix sockets are not an upstream")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
