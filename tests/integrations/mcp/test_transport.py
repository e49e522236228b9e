from __future__ import annotations

from dataclasses import replace

import httpx2
import pytest

from integrations.http import EgressRules, TransportOptions, Unreachable
from integrations.mcp.errors import McpError
from integrations.mcp.http_transport import GuardedTransport
from integrations.mcp.servers import RemoteServer
from integrations.mcp.transport import http_connections, http_session_transport
from tests.integrations.echo import Reply, echo_server
from tests.integrations.mcp.running import QUICK, running


async def nowhere(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_the_origin_of_the_url_is_allowed_and_no_other() -> None:
    async with echo_server() as own, echo_server() as other:
        told: list[McpError] = []
        guarded = http_connections(
            RemoteServer(own.url + "/mcp"), "streamable-http", nowhere, QUICK, told.append
        )
        async with _client(guarded) as client:
            assert (await client.get(own.url)).status_code == 200
            assert (await client.get(other.url)).status_code == 502
        assert other.log == []


async def test_the_sse_endpoint_may_not_be_elsewhere() -> None:
    """The transport of 2024-11-05 lets the server name the URL for messages; it has to be of the same origin."""
    async with echo_server() as own, echo_server() as other:
        event = f"event: endpoint\ndata: {other.url}/steal\n\n".encode()
        own.answer = lambda seen: Reply(200, [("Content-Type", "text/event-stream")], event)
        server = RemoteServer(own.url + "/sse", transport="sse", headers={"X-Key": "secret"})
        async with running(server, limits=replace(QUICK, connect_seconds=0.5)) as one:
            assert one.status["status"] == "failed"
        assert other.log == []


async def test_variables_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named by the environment would see every credential."""
    async with echo_server() as own, echo_server() as spy:
        monkeypatch.setenv("HTTP_PROXY", spy.url)
        monkeypatch.setenv("ALL_PROXY", spy.url)
        server = RemoteServer(own.url + "/mcp", egress=EgressRules())
        guarded = http_connections(server, "streamable-http", nowhere, QUICK, lambda _: None)
        async with http_session_transport(server, "streamable-http", {"X-Key": "k"}, guarded, QUICK):
            pass
        async with running(server) as one:
            assert one.status["status"] == "failed"
        assert own.log
        assert spy.log == []


def _client(guarded: GuardedTransport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=guarded, trust_env=False)


async def test_the_proxy_is_chosen_for_every_session() -> None:
    async with echo_server() as proxy:
        proxy.answer = lambda seen: Reply(403)
        server = RemoteServer("http://mcp.example/mcp", choose=lambda: TransportOptions(proxy=proxy.url))
        async with running(server) as one:
            assert one.status["status"] == "failed"
        assert proxy.log[0].target == "http://mcp.example:80/mcp"


async def test_a_client_key_that_is_missing_is_told() -> None:
    def choose() -> TransportOptions:
        raise Unreachable("client_cert: environment variable KEY is not set")

    async with running(RemoteServer("https://mcp.example/mcp", choose=choose)) as one:
        assert one.status == {"status": "failed", "error": "client_cert: environment variable KEY is not set"}
