"""TLS at the listener: who gets in, what is offered, and handshakes that never end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.config.tls_files import TlsPair, tls_context
from proxy.serving.http.held import HeldConnections
from proxy.serving.http.server import HttpLimits, serve_http
from tests.integrations.tls import Authority, Issued


@dataclass
class Shown:
    """What the listener shows; the test changes it."""

    made: ssl.SSLContext | None
    failures: list[str] = field(default_factory=list)

    def context(self) -> ssl.SSLContext | None:
        return self.made

    def failed(self, client: str, error: OSError) -> None:
        self.failures.append(f"{client} {getattr(error, 'reason', None) or type(error).__name__}")


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = f"{scope['scheme']} HTTP/{scope['http_version']}".encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listener(shown: Shown, held: HeldConnections | None = None) -> AsyncIterator[int]:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    shutdown = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_http(
                app,
                host="127.0.0.1",
                port=0,
                shutdown=shutdown,
                bound=port.set_result,
                limits=HttpLimits(sweep_seconds=0.02, grace_seconds=1),
                held=held,
                tls=shown,
            )
        )
        try:
            yield await port
        finally:
            shutdown.set()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def context(issued: Issued, authority: Authority | None = None) -> ssl.SSLContext:
    ca = authority.bundle.read_bytes() if authority is not None else None
    return tls_context(TlsPair(issued.cert.read_bytes(), issued.key.read_bytes(), ca))


def trusting(authority: Authority, issued: Issued | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authority.bundle)
    if issued is not None:
        made.load_cert_chain(issued.cert, issued.key)
    return made


async def get(port: int, trust: ssl.SSLContext, *, http2: bool = False) -> str:
    async with httpx2.AsyncClient(verify=trust, http2=http2, timeout=30) as client:
        return (await client.get(f"https://localhost:{port}/")).text


async def test_a_client_that_trusts_the_authority_gets_in(authority: Authority) -> None:
    shown = Shown(context(authority.issue("localhost")))
    async with listener(shown) as port:
        assert await get(port, trusting(authority)) == "https HTTP/1.1"
        assert await get(port, trusting(authority), http2=True) == "https HTTP/1.1", "HTTP/2 is not offered"
    assert shown.failures == []


async def test_a_new_certificate_is_for_new_connections(authority: Authority) -> None:
    shown = Shown(context(authority.issue("localhost")))
    async with listener(shown) as port, httpx2.AsyncClient(verify=trusting(authority)) as old:
        assert (await old.get(f"https://localhost:{port}/")).status_code == 200
        other = authority.issue("other.example")
        shown.made = context(other)
        assert (await old.get(f"https://localhost:{port}/")).status_code == 200
        with pytest.raises(httpx2.ConnectError, match="certificate is not valid"):
            await get(port, trusting(authority))
        shown.made = None
        async with httpx2.AsyncClient() as plain:
            assert (await plain.get(f"http://127.0.0.1:{port}/")).text == "http HTTP/1.1"


async def test_with_an_authority_for_clients_each_needs_a_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    strangers = Authority(tmp_path / "theirs")
    shown = Shown(context(authority.issue("localhost"), authority))
    async with listener(shown) as port:
        assert await get(port, trusting(authority, authority.issue("agent"))) == "https HTTP/1.1"
        for stranger in (None, strangers.issue("stranger")):
            with pytest.raises(httpx2.TransportError):
                await get(port, trusting(authority, stranger))
    assert [one.split()[0] for one in shown.failures] == ["127.0.0.1"] * 2
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in shown.failures[0]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 64]
)
async def test_what_is_no_tls_is_told_and_hurts_nobody(authority: Authority, sent: bytes) -> None:
    shown = Shown(context(authority.issue("localhost")))
    async with listener(shown) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        with suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()
        assert await get(port, trusting(authority)) == "https HTTP/1.1"
    assert len(shown.failures) == 1


async def test_a_handshake_that_never_comes_counts_as_slow_and_ends(authority: Authority) -> None:
    late = 0.0
    ended: list[str] = []
    loop = asyncio.get_running_loop()
    held = HeldConnections(told=ended.append, clock=lambda: loop.time() + late)
    shown = Shown(context(authority.issue("localhost")))
    async with listener(shown, held) as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # Half a record: whoever serves it has begun with the handshake when it has read that.
        writer.write(b"\x16\x03\x01")
        late = 60.0
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert ended == ["slow_head"]
        assert held.use()["open"] == 0
        late = 0.0
        assert await get(port, trusting(authority)) == "https HTTP/1.1"


async def test_old_protocols_are_refused(authority: Authority) -> None:
    old = trusting(authority)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    shown = Shown(context(authority.issue("localhost")))
    async with listener(shown) as port:
        assert await get(port, old) == "https HTTP/1.1"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # A ClientHello of TLS 1.0 without extensions.
        hello = b"\x03\x01" + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
        record = b"\x01" + len(hello).to_bytes(3, "big") + hello
        writer.write(b"\x16\x03\x01" + len(record).to_bytes(2, "big") + record)
        with suppress(ConnectionError):
            assert (await reader.read(1024))[:1] in (b"", b"\x15"), "nothing, or an alert"
        writer.close()
    assert shown.failures == ["127.0.0.1 UNSUPPORTED_PROTOCOL"]
