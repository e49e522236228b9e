"""What callers cost: one call by each kind of credential, the memory of many sessions, throughput with 16 and 128
clients, and what others notice of one account that is refused a thousand times a second, for its limit or its key.

Run: python -m bench.callers [--sessions 10000] [--only refused]
"""

from __future__ import annotations

import argparse
import asyncio
import http.server
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from bench.client import Client
from bench.server import KEY, META, VERSION, Server, base_config, free_port, serve
from proxy.auth import hash_key

WRONG = "greedy-key-that-is-wrong"
GREEDY = "greedy-key-that-is-good"
REFUSED_A_SECOND = 1000
SECONDS = 6.0
CALLS = 480
OWNED = 100  # sessions of one account: at 200 its oldest would make room
TRIVIAL = {"name": "execute", "arguments": {"code": "return 1"}}
PARTS = ("sessions", "credentials", "throughput", "refused")
PUBLIC = "https://bench.example.com"
ISSUER = "https://issuer.example.com"
TOOL_CALL = orjson.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**TRIVIAL, "_meta": META}}
)
HEADERS = {
    "mcp-protocol-version": VERSION,
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
}


def out(line: str) -> None:
    sys.stdout.write(line + "\n")


def config(port: int, jwks_uri: str) -> dict[str, Any]:
    """Callers of every kind; `greedy` is a good key in a workspace of its own, with a limit of its own."""
    base = base_config(port)
    greedy = {"hash": f"sha256:{hash_key(GREEDY)}", "workspace": "greedy"}
    base["auth"]["api_keys"]["keys"]["greedy"] = greedy
    base["auth"]["oauth"] = {"issuer": ISSUER, "jwks_uri": jwks_uri}
    base["server"]["public_url"] = PUBLIC
    base["workspaces"]["greedy"] = {"rate_limits": {"wide": "10/minute"}}
    return {**base, "state": {"backend": "memory"}}


@contextmanager
def key_set(keys: dict[str, Key]) -> Iterator[str]:
    """Publishes public keys; gives the URL."""
    document = json.dumps({"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in keys.items()]})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks"
    finally:
        server.shutdown()
        server.server_close()


def tokens(keys: dict[str, Key], algorithm: str, count: int, subject: str = "alice") -> list[str]:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": subject, "aud": f"{PUBLIC}/mcp", "org_id": "bench", "exp": now + 3600}
    header = {"alg": algorithm, "kid": algorithm, "typ": "at+jwt"}
    return [
        jwt.encode(header, {**claims, "jti": str(number)}, keys[algorithm], algorithms=[algorithm])
        for number in range(count)
    ]


async def credentials(server: Server, keys: dict[str, Key]) -> None:
    """CPU of the proxy for one `tools/call`, in turns, so that a busy machine disturbs all kinds alike."""
    kinds = {
        "key by hash": [KEY] * CALLS,
        "token, cached": tokens(keys, "ES256", 1) * CALLS,
        "ES256 token, each a new one": tokens(keys, "ES256", CALLS),
        "RS256 token, each a new one": tokens(keys, "RS256", CALLS),
    }
    used = dict.fromkeys(kinds, 0.0)
    async with Client(server.port, HEADERS) as client:
        for at in range(0, CALLS, CALLS // 6):
            for kind, bearers in kinds.items():
                cpu = server.cpu_seconds()
                for bearer in bearers[at : at + CALLS // 6]:
                    own = {
                        "authorization": f"Bearer {bearer}",
                        "mcp-method": "tools/call",
                        "mcp-name": "execute",
                    }
                    answer = await client.post("/mcp", TOOL_CALL, own)
                    assert answer.status == 200, answer.body
                used[kind] += server.cpu_seconds() - cpu
    for kind, seconds in used.items():
        out(f"tools/call, {kind}: {seconds / CALLS * 1e3:.2f} ms CPU of the proxy")


async def sessions(server: Server, keys: dict[str, Key], count: int) -> None:
    """Handshake sessions that nobody uses any more, of many accounts: what the largest process, the proxy, has grown
    by."""
    for _ in range(50):
        await server.rpc("tools/call", "execute", TRIVIAL)
    body = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}
    message = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": body})
    bearers = [tokens(keys, "ES256", 1, f"user-{number}")[0] for number in range(-(-count // OWNED))]
    headers = {"accept": HEADERS["accept"], "content-type": HEADERS["content-type"]}
    before, cpu = server.memory()[1], server.cpu_seconds()
    async with Client(server.port, headers) as client:
        for number in range(count):
            own = {"authorization": f"Bearer {bearers[number // OWNED]}"}
            answer = await client.post("/mcp", message, own)
            assert answer.status == 200, answer.body
    grown, used = server.memory()[1] - before, server.cpu_seconds() - cpu
    out(
        f"sessions: {count}, {grown:.1f} MB, {grown * 1e3 / count:.2f} KB each, {used / count * 1e3:.2f} ms CPU each"
    )


async def throughput(server: Server, clients: int) -> None:
    done, until, cpu = 0, time.perf_counter() + SECONDS, server.cpu_seconds()

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await server.rpc("tools/call", "execute", TRIVIAL)
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(one())
    used = server.cpu_seconds() - cpu
    out(
        f"throughput: {clients} clients, {done / SECONDS:.0f}/s, {used / done * 1e3:.2f} ms CPU of the proxy a call"
    )


async def refused(server: Server, alone: str, bearer: str, what: str) -> None:
    """The latency of one caller beside somebody who is refused all the time."""
    headers = {
        "authorization": f"Bearer {bearer}",
        **HEADERS,
        "mcp-method": "tools/call",
        "mcp-name": "execute",
    }
    counted: dict[int, int] = {}

    async def greedy(client: Client) -> None:
        while True:
            answer = await client.post("/mcp", TOOL_CALL, {})
            counted[answer.status] = counted.get(answer.status, 0) + 1
            await asyncio.sleep(16 / REFUSED_A_SECOND)

    async with Client(server.port, headers) as client:
        tasks = [asyncio.create_task(greedy(client)) for _ in range(16)]  # noqa: TID251 - ended below
        began = time.perf_counter()
        beside = await latencies(server)
        rate = sum(counted.values()) / (time.perf_counter() - began)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    out(f"p50/p99 ms of others: alone {alone}, beside {rate:.0f}/s of {what} {beside} (answers: {counted})")


async def latencies(server: Server) -> str:
    found: list[float] = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        await server.rpc("tools/list", None, {})
        found.append((time.perf_counter() - began) * 1e3)
    found.sort()
    return f"{found[len(found) // 2]:.2f}/{found[int(len(found) * 0.99)]:.2f}"


async def main(count: int, parts: Sequence[str]) -> None:
    port = free_port()
    keys: dict[str, Key] = {"ES256": ECKey.generate_key("P-256"), "RS256": RSAKey.generate_key(2048)}
    with tempfile.TemporaryDirectory() as folder, key_set(keys) as url:
        async with serve(config(port, url), port, Path(folder)) as server:
            if "sessions" in parts:
                await sessions(server, keys, count)
            if "credentials" in parts:
                await credentials(server, keys)
            if "throughput" in parts:
                for clients in (16, 128):
                    await throughput(server, clients)
            if "refused" in parts:
                alone = await latencies(server)
                await refused(server, alone, GREEDY, "an account over its limit")
                await refused(server, alone, WRONG, "a wrong key")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part (may be repeated)")
    options = parser.parse_args()
    asyncio.run(main(options.sessions, options.only or PARTS))
