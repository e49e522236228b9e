"""Executor below a path behind nginx, Caddy and HAProxy, each with its file of deploy/proxies, over TLS and HTTP/2."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.auth import hash_key
from tests.deploy.front_proxies import CONFIGS, FILES, STRIPS, front
from tests.deploy.tools import free_port
from tests.e2e import configs
from tests.e2e.running import ROOT, Proxy, envelope, environment, headers_of, serving
from tests.e2e.upstream import Upstream, upstream
from tests.integrations.tls import Authority, Issued

KEY = "exk_behind-a-proxy-1"
CREATE = "return (await tools.shop.org.main.things.create({body: {name: 'x'}})).ok"
DEPLOY = ROOT / "docs" / "deploy.md"


@dataclass
class Stand:
    """One server for all proxies: its public address has the port that each of them listens on in its turn."""

    proxy: Proxy
    api: Upstream
    authority: Authority
    issued: Issued
    port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/executor"

    @asynccontextmanager
    async def client(self, *, http2: bool = True) -> AsyncIterator[httpx2.AsyncClient]:
        trust = ssl.create_default_context(cafile=self.authority.bundle)
        bearer = {"authorization": f"Bearer {KEY}"}
        async with httpx2.AsyncClient(
            base_url=self.url, headers=bearer, verify=trust, http2=http2, timeout=60
        ) as client:
            yield client


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("stand")
    authority, port = Authority(folder), free_port()
    keys = {"agent": {"hash": f"sha256:{hash_key(KEY)}", "groups": ["ops"]}}
    settings = {
        "public_url": f"https://localhost:{port}/executor",
        "trusted_proxies": ["127.0.0.1/32"],
    }
    auth = {"api_keys": {"keys": keys}, "roles": {"admin": ["ops"], "approver": ["ops"]}}
    with upstream() as api:
        config = configs.write(folder / "executor.yaml", configs.base(api, server=settings, auth=auth))
        with serving(config, folder / "state", env=configs.ENV) as proxy:
            yield Stand(proxy, api, authority, authority.issue("localhost"), port)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.deploy(name)) for name in CONFIGS])
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def started(stand: Stand, name: str, folder: Path, *changes: tuple[str, str]) -> Any:
    inner = int(stand.proxy.url.rpartition(":")[2])
    return front(name, folder, stand.port, inner, stand.issued, *changes)


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The parts of a request of the stateless era."""
    return {
        "json": envelope("tools/call", {"name": tool, "arguments": arguments}),
        "headers": headers_of("tools/call", tool),
    }


async def decide(client: httpx2.AsyncClient, stand: Stand, execution: str) -> None:
    """Approve on the page, as a person does in a browser."""
    origin = {"origin": f"https://localhost:{stand.port}", "sec-fetch-site": "same-origin"}
    signed = await client.post("/login", data={"credential": KEY, "next": ""}, headers=origin)
    assert signed.status_code == 303
    page = await client.get(f"/resume/{execution}")
    fields = dict(re.findall(r'name="(csrf|question)" value="([^"]*)"', page.text))
    form = {**fields, "action": "accept"}
    done = await client.post(f"/resume/{execution}", data=form, headers=origin)
    assert (done.status_code, done.headers.get("location")) == (303, f"/executor/resume/{execution}"), (
        done.text
    )


@pytest.mark.parametrize("way", ["keeps", "strips"])
async def test_everything_is_below_the_path(name: str, way: str, stand: Stand, tmp_path: Path) -> None:
    changes = [STRIPS[name]] if way == "strips" else []
    with started(stand, name, tmp_path, *changes):
        async with stand.client() as client:
            health = await client.get("/api/health")
            assert (health.status_code, health.http_version) == (200, "HTTP/2")
            ran = await client.post("/mcp", **call("execute", {"code": "return 1 + 1"}))
            assert ran.json()["result"]["structuredContent"]["result"] == 2
            described = (await client.get("/api/openapi.json")).json()
            assert described["servers"] == [{"url": "/executor"}]
            page = await client.get("/login")
            files = re.findall(r'(?:href|src)="(/executor/pages/[^"]+)"', page.text)
            assert len(files) >= 2
            for file in files:
                found = await client.get(f"https://localhost:{stand.port}{file}")
                assert found.status_code == 200, file
            origin = {"origin": f"https://localhost:{stand.port}", "sec-fetch-site": "same-origin"}
            signed = await client.post("/login", data={"credential": KEY, "next": ""}, headers=origin)
            assert (signed.status_code, signed.headers["location"]) == (303, "/executor/approvals")
            assert "; Path=/executor; HttpOnly; SameSite=Strict; Secure" in signed.headers["set-cookie"]
        async with stand.client(http2=False) as client:
            assert (await client.get("/api/health")).http_version == "HTTP/1.1"


async def test_operations_stay_inside(name: str, stand: Stand, tmp_path: Path) -> None:
    refused = (
        "/-/status", "/-/config", "/metrics", "/%2D/status", "//-/status", "/x/../-/status", "/executor/-/status",
    )  # fmt: skip
    with started(stand, name, tmp_path):
        async with stand.client() as client:
            for path in refused:
                answer = await client.get(f"https://localhost:{stand.port}/executor{path}")
                assert answer.status_code in (403, 404), path
                assert "sandbox" not in answer.text, path


async def test_who_calls_is_the_client_and_not_the_proxy(name: str, stand: Stand, tmp_path: Path) -> None:
    """A refused caller is logged with its own address, not with the proxy's."""
    seen = stand.proxy.err.mark()
    trust = ssl.create_default_context(cafile=stand.authority.bundle)
    transport = httpx2.AsyncHTTPTransport(verify=trust, local_address="127.0.0.7")
    with started(stand, name, tmp_path):
        async with httpx2.AsyncClient(transport=transport, timeout=60) as client:
            bad = {"authorization": "Bearer exk_nobody-has-this", "x-forwarded-for": "192.0.2.1"}
            answer = await client.get(f"{stand.url}/api/executions", headers=bad)
            assert answer.status_code == 401
    stand.proxy.err.wait(lambda line: '"127.0.0.7"' in line, seen)


async def test_a_call_outwaits_the_proxys_patience(name: str, stand: Stand, tmp_path: Path) -> None:
    """Behind default buffering, and a proxy that gives up after 20 s of silence: MCP says something every 15 s, so a
    call may wait for a person as long as it likes. Two signs of life are 30 s."""
    with started(stand, name, tmp_path, ("300s", "20s")):
        async with stand.client() as client:
            held = await client.post("/mcp?elicitation_mode=browser", **call("execute", {"code": CREATE}))
            paused = held.json()["result"]["structuredContent"]
            execution = paused["executionId"]
            assert paused["approvalUrl"] == f"{stand.url}/resume/{execution}"
            waiting = client.stream(
                "POST", "/mcp?elicitation_mode=browser", **call("resume", {"executionId": execution})
            )
            async with asyncio.timeout(120), waiting as stream:
                assert stream.headers["content-type"] == "text/event-stream"
                lines = stream.aiter_lines()
                result: dict[str, Any] = {}
                seen = 0
                async for line in lines:
                    seen += line == ": ping"
                    if seen == 2:
                        break
                await decide(client, stand, execution)
                async for line in lines:
                    if line.startswith("data: "):
                        result = json.loads(line.removeprefix("data: "))["result"]["structuredContent"]
                        break
    assert (result["status"], result["result"]) == ("completed", True)


async def test_commands_take_the_whole_address(name: str, stand: Stand, tmp_path: Path) -> None:
    with started(stand, name, tmp_path):
        command = [sys.executable, "-m", "proxy", "executions", "ls", "--json", "--server", stand.url]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, "--cacert", str(stand.authority.bundle)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=ROOT,
            env=environment(tmp_path / "state", {"EXECUTOR_TOKEN": KEY}),
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("config", CONFIGS.values())
def test_the_page_shows_the_very_file(config: str) -> None:
    assert f"\n{(FILES / config).read_text()}```" in DEPLOY.read_text()
