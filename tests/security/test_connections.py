"""T43: connections that are many, slow, closed or never read, against a server that may open 256 descriptors."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.descriptors import raise_limit
from tests.e2e import configs
from tests.e2e.running import LIMIT_SECONDS, Proxy, envelope, headers_of, serving
from tests.e2e.upstream import Upstream, upstream

DESCRIPTORS = 256
ATTEMPTS = 1100
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
MIB = 1024 * 1024
UNREAD = 12
CLOSE_WAIT = "08"


@pytest.fixture(scope="module")
def api() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def config(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowded")
    limits = {
        "write_timeout": "3s",
        "unread": "1MiB",
        "unread_per_account": "8MiB",
        "requests_per_account": 60,
    }
    server = {"reload": {"settle": "100ms", "poll_interval": "1s", "drain_timeout": "5s"}, "limits": limits}
    sections = {
        "server": server,
        "sandbox": {"workers": 2, "max_output": "8MiB"},
        "execute": {"max_result_bytes": "8MiB"},
    }
    return configs.write(folder / "executor.yaml", configs.base(api, **sections))


@pytest.fixture(scope="module")
def crowded(config: Path) -> Iterator[Proxy]:
    # A user's shell allows fewer sockets than the crowd has.
    raise_limit()
    with serving(config, config.parent / "state", env=configs.ENV, descriptors=DESCRIPTORS) as proxy:
        yield proxy


class Crowd:
    """Sockets of clients that mean no good."""

    def __init__(self, proxy: Proxy) -> None:
        self._address = ("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        self._sockets = ExitStack()

    def connect(self, sent: bytes, count: int = 1) -> list[socket.socket]:
        made = []
        for _ in range(count):
            sock = self._sockets.enter_context(socket.socket())
            sock.settimeout(LIMIT_SECONDS)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.append(sock)
            with suppress(OSError):
                sock.connect(self._address)
                sock.sendall(sent)
        return made

    def close(self) -> None:
        self._sockets.close()


@pytest.fixture
def crowd(crowded: Proxy) -> Iterator[Crowd]:
    """Afterwards nothing of it is left."""
    made = Crowd(crowded)
    yield made
    made.close()


async def until(proxy: Proxy, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not fits(status := await proxy.status()):
            pass
    return status


async def works(proxy: Proxy) -> None:
    """Health, reload, files and executions."""
    assert (await proxy.get("/healthz")).status_code == 200
    assert (await proxy.get("/readyz")).status_code == 200
    async with proxy.client() as client:
        assert (await client.post("/-/reload")).status_code == 200
    assert await proxy.value("const all = await tools.shop.org.main.things.list({}); return all.ok") is True


def head(token: str | None, length: int) -> bytes:
    own = {
        **headers_of("tools/call", "execute"),
        "host": "localhost",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "content-length": str(length),
    }
    return "\r\n".join(["POST /mcp HTTP/1.1", *(f"{k}: {v}" for k, v in own.items()), "", ""]).encode()


def states(port: int) -> list[str]:
    """TCP states of the server's side of its connections (man 5 proc: /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[3] for row in rows if int(row[1].rpartition(":")[2], 16) == port]


async def test_t43_connections_that_clients_close_are_closed(crowded: Proxy, crowd: Crowd) -> None:
    for _ in range(ATTEMPTS):
        [sock] = await asyncio.to_thread(crowd.connect, GET)
        await asyncio.to_thread(sock.recv, 4096)
        sock.close()
    await until(crowded, lambda status: status["clients"]["open"] <= 2)
    port = int(crowded.url.rpartition(":")[2])
    async with asyncio.timeout(LIMIT_SECONDS):
        while states(port).count(CLOSE_WAIT) > 1:  # the connection that asks is closing itself
            await crowded.status()
    await works(crowded)


SLOW = {
    "nothing sent": b"",
    "half a head": GET[:20],
    "half a body of a stranger": head("wrong", 1000) + b"{",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=list(SLOW))
async def test_t43_idle_and_slow_connections_make_room(crowded: Proxy, crowd: Crowd, sent: bytes) -> None:
    await asyncio.to_thread(crowd.connect, sent, ATTEMPTS)
    await works(crowded)
    status = await crowded.status()
    assert status["clients"]["open"] <= status["clients"]["most"] == DESCRIPTORS * 3 // 4
    assert status["descriptors"]["limit"] == DESCRIPTORS
    assert status["descriptors"]["used"] < DESCRIPTORS - 16
    assert await crowded.counted("executor_http_connections_ended_total", reason="displaced") > 0


async def test_t43_a_caller_who_sends_byte_by_byte_makes_room(crowded: Proxy, crowd: Crowd) -> None:
    sockets = await asyncio.to_thread(crowd.connect, head(crowded.token, 1000) + b"{", ATTEMPTS)
    for sock in sockets:
        with suppress(OSError):
            sock.send(b" ")
    # Its account has so many requests under way, and no more: 429 for the others, until some have ended.
    crowd.close()
    await works(crowded)


async def test_t43_answers_that_nobody_reads_are_given_up(crowded: Proxy, crowd: Crowd) -> None:
    before = await crowded.counted("executor_http_connections_ended_total", reason="unread")
    code = f"return 'x'.repeat({4 * MIB})"
    body = json.dumps(envelope("tools/call", {"name": "execute", "arguments": {"code": code}})).encode()
    sockets = await asyncio.to_thread(crowd.connect, head(crowded.token, len(body)) + body, UNREAD)
    firsts = [await asyncio.to_thread(sock.recv, 1) for sock in sockets]
    assert firsts == [b"H"] * UNREAD
    await crowded.until_counted("executor_http_connections_ended_total", before + UNREAD, reason="unread")
    await until(crowded, lambda status: status["clients"]["unread_bytes"] == 0)
    await works(crowded)


async def test_t43_one_account_has_its_share(crowded: Proxy, crowd: Crowd) -> None:
    # Requests of the test before may still be ending.
    await until(crowded, lambda status: status["clients"]["accounts"] == 0)
    started = head(crowded.token, 1000) + b"{"
    await asyncio.to_thread(crowd.connect, started, 60)
    await until(crowded, lambda status: status["clients"]["slow"] == 60)
    async with crowded.client() as client:
        refused = await client.post("/mcp", json=envelope("tools/list"), headers=headers_of("tools/list"))
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert "This account has 60 requests under way" in refused.json()["error"]["message"]
    crowd.close()
    await until(crowded, lambda status: status["clients"]["accounts"] == 0)
    await works(crowded)
