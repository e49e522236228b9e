"""T30: tokens for somebody else, of somebody else, or of no one, shown to a served proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.e2e.upstream import upstream
from tests.oauth.issuer import Issuer, issuing
from tests.oauth.odd_tokens import HOSTILE, ODD, issuer_keys

PUBLIC = "https://executor.example.com"
RESOURCE = f"{PUBLIC}/mcp"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        issuer_keys(running)
        yield running


@pytest.fixture(scope="module")
def proxy(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("t30")
    with upstream() as api:
        config = configs.base(
            api,
            auth={"oauth": {"issuer": issuer.url, "required_scopes": ["executor"]}},
            server={"public_url": PUBLIC},
            rate_limits={"ip": {"per": "ip", "limit": "100000/minute"}},
        )
        file = configs.write(folder / "executor.yaml", config)
        with serving(file, folder / "state", env=configs.ENV) as running:
            yield running


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 100


@pytest.mark.parametrize("name", HOSTILE)
async def test_t30_a_hostile_token_is_401(proxy: Proxy, issuer: Issuer, name: str) -> None:
    token = HOSTILE[name](issuer, RESOURCE)
    async with proxy.client(token) as client:
        answer = await post(client, "execute", {"code": "return 1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, -32001), answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in answer.text + answer.headers["www-authenticate"]


@pytest.mark.parametrize("name", ODD)
async def test_t30_an_odd_token_that_is_good_is_let_in(proxy: Proxy, issuer: Issuer, name: str) -> None:
    assert (await proxy.execute("return 1", token=ODD[name](issuer, RESOURCE))).value == 1


@pytest.mark.parametrize("size", [40_000, 3_000_000])
@pytest.mark.parametrize("header", ["Authorization: Bearer ey", "x-api-key: "])
async def test_t30_a_token_that_fills_the_head_is_401_too(proxy: Proxy, header: str, size: int) -> None:
    """It never reaches the application. Who goes on sending may find the connection gone before reading the answer."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /mcp HTTP/1.1\r\nHost: {host}\r\n{header}".encode())
    found = b""
    with suppress(ConnectionError):
        for _ in range(size // 40_000):
            writer.write(b"a" * 40_000)
            await writer.drain()
        found = await reader.read()
    writer.close()
    assert found or size > 40_000
    if found:
        head, _, body = found.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401")
        assert b'error="invalid_token"' in head
        assert json.loads(body)["error"]["code"] == "unauthorized"
    assert (await proxy.get("/healthz")).status_code == 200
