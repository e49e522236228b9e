"""T33 (forged hosts), T34 (session theft and fixation), T35 (DNS rebinding), on a real server."""

from __future__ import annotations

import asyncio

import pytest

from proxy.serving.asgi import AppOptions
from proxy.serving.envelope import EnvelopeOptions
from proxy.serving.origins import HostRules
from tests.proxy.serving.support import call, initialize, open_session, serving

FORGED = [
    "attacker.example",
    "attacker.example:80",
    "127.0.0.1.attacker.example",
    "localhost.attacker.example",
    "localhost@attacker.example",
    "[::1].attacker.example",
    "10.0.0.7",
    "127.0.0.1:80:90",
]
FOREIGN = [
    "null",
    "http://attacker.example",
    "https://localhost.attacker.example",
    "file://",
    "javascript:0",
    "",
]


@pytest.mark.parametrize("host", FORGED)
async def test_t35_forged_host_is_421_on_every_route(host: str) -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=initialize(), headers={"host": host})
        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == -32600
        assert (await client.get("/-/status", headers={"host": host})).status_code == 421
        assert (await client.post("/-/reload", headers={"host": host})).status_code == 421
    assert server.board.finished == [("mcp", 421)]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_t35_foreign_origin_is_403_on_every_route(origin: str) -> None:
    async with serving() as server, server.client() as client:
        for answer in (
            await client.post("/mcp", json=initialize(), headers={"origin": origin}),
            await client.options("/mcp", headers={"origin": origin}),
            await client.post("/-/reload", headers={"origin": origin}),
        ):
            assert answer.status_code == 403, origin
            assert answer.json()["error"]["code"] == -32600
            assert "access-control-allow-origin" not in answer.headers


async def test_t35_loopback_names_are_answered() -> None:
    async with serving() as server, server.client() as client:
        port = server.url.rpartition(":")[2]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST"):
            answer = await client.post("/mcp", json=initialize(), headers={"host": host})
            assert answer.status_code == 200, host
        for origin in (server.url, "http://localhost:5173"):
            answer = await client.post("/mcp", json=initialize(), headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin


async def raw(url: str, *lines: str) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join((*lines, "connection: close", "", "")).encode())
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_t35_repeated_headers_are_refused() -> None:
    async with serving() as server:
        host = "host: " + server.url.removeprefix("http://")
        start = ("GET /mcp HTTP/1.1", host)
        two_origins = await raw(
            server.url, *start, f"origin: {server.url}", "origin: http://attacker.example"
        )
        assert two_origins.startswith(b"HTTP/1.1 403 ")
        two_tokens = await raw(server.url, *start, "authorization: Bearer alice", "authorization: Bearer bob")
        assert two_tokens.startswith(b"HTTP/1.1 400 ")
        two_sessions = await raw(
            server.url, *start, "authorization: Bearer alice", "mcp-session-id: a", "mcp-session-id: b"
        )
        assert two_sessions.startswith(b"HTTP/1.1 400 ")
        two_hosts = await raw(server.url, *start, "host: attacker.example")
        assert two_hosts.startswith(b"HTTP/1.1 4")


async def test_t33_forwarded_headers_and_hosts_are_never_echoed() -> None:
    rules = HostRules.build("0.0.0.0", "https://mcp.example.org/x", (), ())
    async with (
        serving(AppOptions(envelope=EnvelopeOptions(hosts=rules))) as server,
        server.client(None) as client,
    ):
        forged = {
            "x-forwarded-host": "attacker.example",
            "x-forwarded-proto": "https",
            "forwarded": "host=attacker.example",
            "host": "mcp.example.org",
        }
        answer = await client.post("/mcp", json=initialize(), headers=forged)
        assert answer.status_code == 401
        assert "attacker" not in answer.text + str(answer.headers)
        assert (await client.post("/mcp", json={}, headers={"host": "attacker.example"})).status_code == 421


async def test_t34_sessions_are_random_and_chosen_by_the_server() -> None:
    async with serving() as server, server.client() as client:
        ids = {await open_session(client) for _ in range(20)}
        assert len(ids) == 20
        assert all(len(name) == len("mcp_") + 32 for name in ids)
        fixed = await client.post("/mcp", json=initialize(), headers={"mcp-session-id": "mcp_" + "0" * 32})
        assert fixed.status_code == 404


async def test_t34_session_in_the_url_is_ignored() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        answer = await client.post(f"/mcp?mcp-session-id={session}", json=call("return 1"))
        assert answer.status_code == 400


async def test_t34_the_same_account_name_in_another_workspace_is_another_owner() -> None:
    async with serving() as server, server.client() as alice, server.client("eve") as eve:
        session = await open_session(alice)
        answer = await eve.post("/mcp", json=call("return 1"), headers={"mcp-session-id": session})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, -32003)
