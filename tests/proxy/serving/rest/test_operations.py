from __future__ import annotations

import asyncio

import httpx2
import pytest

from proxy.serving.app import AppOptions
from proxy.serving.rest.operations import RestOptions
from tests.proxy.serving.support import Board, serving
from tests.proxy.support import logged

CLOSED = AppOptions(rest=RestOptions())


@pytest.mark.parametrize("path", ["/healthz", "/api/health", "/-/healthy"])
async def test_health_is_open_and_stays_up_while_draining(path: str) -> None:
    async with serving(CLOSED) as server, server.client(None) as client:
        server.drain.begin()
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/readyz", "/-/ready"])
async def test_readiness_follows_the_configuration_and_draining(path: str) -> None:
    board = Board(rejects=True)
    async with serving(CLOSED, board) as server, server.client(None) as client:
        assert (await client.get(path)).status_code == 200
        latest = await client.get(path, params={"config": "latest"})
        assert (latest.status_code, latest.json()["reason"]) == (503, "the newest configuration was rejected")
        board.is_ready = False
        assert (await client.get(path)).status_code == 503
        board.is_ready = True
        server.drain.begin()
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["reason"], answer.headers["retry-after"]) == (
            503,
            "draining",
            "5",
        )


async def test_operations_on_an_open_listener() -> None:
    async with serving() as server, server.client(None) as client:
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert metrics.text.endswith("\n")
        assert (await client.get("/-/status")).json()["generation"] == 1
        config = await client.get("/-/config")
        assert config.headers["etag"] == '"ab12"'
        same = await client.get("/-/config", headers={"if-none-match": '"ab12"'})
        assert (same.status_code, same.content) == (304, b"")


async def test_reload_answers_what_happened() -> None:
    board = Board()
    async with serving(board=board) as server, server.client(None) as client:
        applied = await client.post("/-/reload")
        assert (applied.status_code, applied.json()["changed"]) == (200, True)
        board.rejects = True
        rejected = await client.post("/-/reload")
        assert (rejected.status_code, rejected.json()) == (422, {"valid": False, "errors": 1})
        assert (await client.get("/-/reload")).status_code == 405


@pytest.mark.parametrize("path", ["/metrics", "/-/status", "/-/config", "/-/reload"])
async def test_operations_elsewhere_need_an_admin(path: str) -> None:
    method = "POST" if path == "/-/reload" else "GET"
    async with serving(CLOSED) as server:
        for token, status in ((None, 401), ("wrong", 401), ("bob", 403), ("alice", 200)):
            async with server.client(token) as client:
                answer = await client.request(method, path)
                assert answer.status_code == status, token
                if status == 401:
                    mistaken = ', error="invalid_token"' if token else ""
                    assert answer.headers["www-authenticate"] == f'Bearer realm="executor"{mistaken}'


@pytest.mark.parametrize(
    "header",
    "forwarded x-forwarded-for x-forwarded-server x-real-ip via x-forwarded-proto x-envoy-external-address "
    "x-amzn-trace-id x-request-id cf-ray fly-client-ip x-original-host X-CLUSTER-CLIENT-IP".split(),
)
async def test_what_a_proxy_forwards_is_not_loopback(header: str) -> None:
    async with serving() as server, server.client(None) as client:
        assert (await client.post("/-/reload", headers={header: "203.0.113.9"})).status_code == 401
        assert (await client.get("/healthz", headers={header: "203.0.113.9"})).status_code == 200


async def test_what_nginx_passes_on_plainly_is_not_loopback() -> None:
    async with serving() as server:
        for version, status in (("1.0", b"401"), ("1.1", b"200")):
            url = httpx2.URL(server.url)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            host = f"{url.host}:{url.port}"
            writer.write(
                f"GET /-/status HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            assert (await reader.readline()).split(b" ")[1] == status
            writer.close()


async def test_whether_it_is_open_is_asked_for_each_request() -> None:
    is_open = [True]
    options = AppOptions(rest=RestOptions(admin_open=lambda: is_open[0]))
    async with serving(options) as server, server.client(None) as client:
        assert (await client.get("/-/status")).status_code == 200
        is_open[0] = False
        for path in ("/-/status", "/-/config", "/metrics"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/-/reload")).status_code == 401


async def test_errors_have_the_rest_shape() -> None:
    async with serving() as server, server.client() as client:
        missing = await client.get("/nothing")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


async def test_a_defect_is_500_with_digits_only(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Board):
        def status(self) -> dict[str, object]:
            raise RuntimeError("the secret cause")

    async with serving(board=Broken()) as server, server.client() as client:
        answer = await client.get("/-/status")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "the secret cause" in logged(caplog)
