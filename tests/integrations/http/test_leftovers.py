"""An upstream that sends more than one answer must not answer the next request with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from integrations.http import EgressRules, HttpClient, TransportOptions
from integrations.mcp.http_transport import GuardedTransport
from tests.integrations.tls import Authority, forward_proxy, tls_in_front_of

HONEST = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nmine"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def sending(answer: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that answers every request with these bytes. The list has the requests of each connection."""
    counts: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(counts)
        counts.append(0)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                counts[number] += 1
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], counts


async def ask(http: HttpClient, url: str, tenant: str = "", max_bytes: int = 100) -> bytes:
    rules = EgressRules(origins=frozenset({url}))
    answer = await http.request(
        "GET", f"{url}/", [], None, timeout_seconds=10, max_bytes=max_bytes, allow=rules, tenant=tenant
    )
    return answer.body


@pytest.mark.parametrize(
    ("first", "more", "connections"),
    [
        (HONEST, b"", 1),
        (CHUNKED, b"", 1),
        (EMPTY, b"", 1),
        (HONEST, FORGED, 3),
        (CHUNKED, FORGED, 3),
        (EMPTY, FORGED, 3),
        (HONEST, b"\r\n", 3),
        (HONEST, b"x", 3),
    ],
)
async def test_a_connection_with_more_than_the_answer_is_closed(
    first: bytes, more: bytes, connections: int
) -> None:
    mine = b"" if first is EMPTY else b"mine"
    async with sending(first + more) as (port, counts), HttpClient() as http:
        assert [await ask(http, f"http://127.0.0.1:{port}") for _ in range(3)] == [mine] * 3
        assert len(counts) == connections


@pytest.mark.parametrize(("more", "connections"), [(b"", 1), (FORGED, 3)])
async def test_the_same_through_a_proxy(more: bytes, connections: int) -> None:
    async with (
        sending(HONEST + more) as (port, counts),
        forward_proxy({"127.0.0.1": port}) as proxy,
        HttpClient() as http,
    ):
        client = http.through(lambda: TransportOptions(proxy.url))
        assert [await ask(client, f"http://127.0.0.1:{port}") for _ in range(3)] == [b"mine"] * 3
        assert len(counts) == connections


async def test_the_same_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "127.0.0.1"))
    async with sending(HONEST + FORGED) as (port, counts), tls_in_front_of(port, context) as secure:
        async with HttpClient() as http:
            client = http.through(lambda: TransportOptions(ca_bundle=authority.bundle))
            assert [await ask(client, f"https://127.0.0.1:{secure}") for _ in range(3)] == [b"mine"] * 3
        assert len(counts) == 3


@pytest.mark.parametrize(("more", "connections"), [(b"", 1), (FORGED, 3)])
async def test_the_same_for_mcp(more: bytes, connections: int) -> None:
    async with sending(HONEST + more) as (port, counts):
        url = f"http://127.0.0.1:{port}"
        rules = EgressRules(origins=frozenset({url}))
        transport = GuardedTransport(rules, 1000, lambda error: None, secure=False)
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            assert [(await client.get(f"{url}/")).content for _ in range(3)] == [b"mine"] * 3
        assert len(counts) == connections


async def test_connections_are_kept_for_their_owner_only() -> None:
    async with sending(HONEST) as (port, counts), HttpClient() as http:
        ann, ben = (http.through(TransportOptions, owner) for owner in ("ann", "ben"))
        for client in (ann, ben, ann, ben, http.through(TransportOptions, "ann")):
            assert await ask(client, f"http://127.0.0.1:{port}") == b"mine"
        assert counts == [3, 2]


async def test_connections_are_kept_for_their_tenant_only() -> None:
    async with sending(HONEST) as (port, counts), HttpClient() as http:
        client = http.through(TransportOptions, "ann")
        for tenant in ("red", "blue", "red", "blue", "red"):
            assert await ask(client, f"http://127.0.0.1:{port}", tenant) == b"mine"
        assert counts == [3, 2]
