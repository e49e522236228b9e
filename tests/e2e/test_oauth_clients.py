"""Clients that are not ours sign in at an authorization server that is not ours, and call: discovery (RFC 9728, 8414),
registration (7591), PKCE (7636), resource indicators (8707), with and without a workspace."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.e2e import configs
from tests.e2e.running import MODERN, Proxy, serving
from tests.e2e.upstream import Upstream
from tests.oauth.npm import MODULES, node, provider, python_client, typescript_client

pytestmark = pytest.mark.specs
CALLBACK = "http://127.0.0.1:1/callback"
PLACES = ("/mcp", "/mcp?workspaceId=red", "/v1/mcp?workspaceId=red", "/red/mcp")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(api: Upstream, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("clients"), free_port()
    config = configs.base(
        api,
        auth={"oauth": {"issuer": issuer, "required_scopes": ["executor"]}},
        workspaces={"red": {}, "blue": {}},
        server={"public_url": f"http://127.0.0.1:{port}"},
    )
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", "--listen", f"127.0.0.1:{port}", env=configs.ENV) as running:
        yield running


async def browse(url: str, stop: str) -> dict[str, str]:
    """As a browser in which somebody signs in: follows redirects with its cookies up to the client's callback."""
    async with httpx2.AsyncClient(follow_redirects=False, timeout=60) as browser:
        for _ in range(20):
            if url.startswith(stop):
                return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            answer = await browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["location"])
    raise AssertionError("too many redirects")


@dataclass
class Person:
    """The storage and the browser of a client of the Python SDK."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    asked: list[str] = field(default_factory=list)
    back: dict[str, str] = field(default_factory=dict)

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def redirect(self, url: str) -> None:
        self.asked.append(url)
        self.back = await browse(url, CALLBACK)

    async def callback(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(
            code=self.back["code"], state=self.back.get("state"), iss=self.back.get("iss")
        )

    @asynccontextmanager
    async def connected(self, url: str, mode: str) -> AsyncIterator[Client]:
        metadata = OAuthClientMetadata(
            client_name="test",
            redirect_uris=[AnyUrl(CALLBACK)],
            token_endpoint_auth_method="none",
            scope="executor",
        )
        auth = OAuthClientProvider(url, metadata, self, self.redirect, self.callback)
        async with httpx2.AsyncClient(auth=auth, timeout=60) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client:
                yield client


async def account(client: Client) -> tuple[str, str]:
    answer = await client.call_tool("execute", {"code": "return 6 * 7"})
    assert answer.structured_content is not None
    assert answer.structured_content["result"] == 42
    return answer.structured_content["workspaceId"], answer.structured_content["accountId"]


@pytest.mark.parametrize("mode", ["legacy", MODERN])
@pytest.mark.parametrize("place", PLACES)
async def test_the_python_sdk(proxy: Proxy, issuer: str, place: str, mode: str) -> None:
    person = Person()
    async with person.connected(proxy.url + place, mode) as client:
        assert await account(client) == ("red", f"user:{issuer}#alice")
    (asked,) = person.asked
    fields = parse_qs(urlsplit(asked).query)
    assert fields["resource"] == [proxy.url + place]
    assert "executor" in fields["scope"][0].split()
    assert fields["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize("place", PLACES)
def test_the_python_sdk_before_2(proxy: Proxy, issuer: str, place: str) -> None:
    found = python_client(proxy.url + place)
    assert found["got"]["result"] == 42
    assert (found["got"]["workspaceId"], found["got"]["accountId"]) == ("red", f"user:{issuer}#alice")
    assert found["resource"] == proxy.url + place
    assert "executor" in found["scope"].split()
    assert found["code_challenge_method"] == "S256"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_the_typescript_sdk(proxy: Proxy, issuer: str, place: str, version: int) -> None:
    found = typescript_client(version, proxy.url + place)
    assert "42" in found["text"]
    assert found["account"] == f"user:{issuer}#alice"
    assert found["resource"] == proxy.url + place
    assert "executor" in found["scope"].split()


@pytest.mark.parametrize("place", PLACES[:2])
def test_mcp_remote(proxy: Proxy, issuer: str, place: str, tmp_path: Path) -> None:
    """The bridge for clients that speak stdio only: it prints the page to visit, and waits for its own callback."""
    command = [node(), str(MODULES / "mcp-remote" / "dist" / "proxy.js"), proxy.url + place, str(free_port())]
    environment = {"PATH": "/nowhere", "HOME": str(tmp_path), "MCP_REMOTE_CONFIG_DIR": str(tmp_path)}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"(http://\S+/auth\?\S+)", line):
                    break
            else:
                raise AssertionError("".join(said))
            redirect = parse_qs(urlsplit(found[1]).query)["redirect_uri"][0]
            back = asyncio.run(browse(found[1], redirect))
            assert httpx2.get(redirect, params=back).status_code == 200
            answer = _talk(process)
        finally:
            process.kill()
    assert answer["structuredContent"]["accountId"] == f"user:{issuer}#alice"


def _talk(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Initialize and one call, as a stdio client does."""
    assert process.stdin is not None
    assert process.stdout is not None
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    _send(process, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info})
    _answer(process, 0)
    _send(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    arguments = {"name": "execute", "arguments": {"code": "return 42"}}
    _send(process, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments})
    return _answer(process, 1)


def _send(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str], id: int) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        message = json.loads(line)
        if message.get("id") == id:
            found: dict[str, Any] = message["result"]
            return found
    raise AssertionError("mcp-remote ended")


async def test_a_token_that_is_refreshed_in_mid_session_keeps_the_session(
    api: Upstream, tmp_path: Path
) -> None:
    """Handshake era: the session belongs to the account, not to the token."""
    port = free_port()
    with provider(TOKEN_SECONDS="3") as issuer:
        config = configs.base(
            api,
            auth={"oauth": {"issuer": issuer}},
            server={"public_url": f"http://127.0.0.1:{port}"},
        )
        file = configs.write(tmp_path / "executor.yaml", config)
        with serving(file, tmp_path / "state", "--listen", f"127.0.0.1:{port}", env=configs.ENV) as own:
            person = Person()
            async with person.connected(f"{own.url}/mcp", "legacy") as client:
                await account(client)
                first = person.tokens
                # Calls until the token has ended: the next one is made with another.
                for _ in range(1000):
                    assert (await account(client))[1] == f"user:{issuer}#alice"
                    if person.tokens != first:
                        break
                assert person.tokens != first
            assert await own.counted("executor_requests_total", path="mcp", status="404") == 0


async def test_opaque_tokens_are_introspected_at_a_real_server(api: Upstream, tmp_path: Path) -> None:
    port = free_port()
    with provider(TOKEN_FORMAT="opaque") as issuer:
        introspection = {"client_id": "rs", "client_secret": {"env": "RS_SECRET"}}
        config = configs.base(
            api,
            auth={"oauth": {"issuer": issuer, "introspection": introspection}},
            server={"public_url": f"http://127.0.0.1:{port}"},
        )
        file = configs.write(tmp_path / "executor.yaml", config)
        env = {**configs.ENV, "RS_SECRET": "rs-secret"}
        with serving(file, tmp_path / "state", "--listen", f"127.0.0.1:{port}", env=env) as own:
            person = Person()
            async with person.connected(f"{own.url}/mcp", MODERN) as client:
                assert (await account(client))[1] == f"user:{issuer}#alice"
            assert person.tokens is not None
            assert "." not in person.tokens.access_token
