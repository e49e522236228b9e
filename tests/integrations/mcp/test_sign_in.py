"""What a 401 is found to mean: real metadata documents over HTTP, and what a hostile server may make us ask (T24)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.http import EgressRules
from integrations.http.backend import system_resolve
from integrations.mcp import RemoteServer
from integrations.mcp.errors import McpError
from integrations.mcp.sign_in import OAuthDiscovery
from tests.integrations.echo import Echo, Reply, Seen, echo_server
from tests.integrations.mcp.running import running

PROTECTED = "/.well-known/oauth-protected-resource"
SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
NEEDS_AUTH = {"status": "needs_auth"}


def serve(echo: Echo, documents: Mapping[str, Any], challenge: str = "Bearer") -> None:
    """JSON documents by path; everything else answers 401 with this challenge."""

    def answer(seen: Seen) -> Reply:
        found = documents.get(seen.path)
        if isinstance(found, Reply):
            return found
        if found is not None:
            return Reply(200, [("Content-Type", "application/json")], json.dumps(found).encode())
        return Reply(404 if seen.path.startswith("/.well-known") else 401, [("WWW-Authenticate", challenge)])

    echo.answer = answer


def resource(echo: Echo, issuer: str = "") -> JsonObject:
    return {"resource": f"{echo.url}/mcp", "authorization_servers": [issuer or echo.url]}


async def status_at(echo: Echo, challenge: str = "", **options: Any) -> JsonObject:
    server = RemoteServer(echo.url + "/mcp", **options)
    error = McpError("unauthorized", "401", status=401, challenge=challenge)
    return await OAuthDiscovery(server, system_resolve).status_of(error)


def paths(echo: Echo) -> list[str]:
    return [seen.path for seen in echo.log]


async def test_an_authorization_server_that_registers_nobody_needs_a_client() -> None:
    async with echo_server() as echo:
        challenge = f'Bearer error="invalid_token", resource_metadata="{echo.url}/about"'
        serve(echo, {"/about": resource(echo), SERVER: {"issuer": echo.url}}, challenge)
        async with running(RemoteServer(echo.url + "/mcp")) as one:
            assert one.status["status"] == "needs_client_registration"
            assert set(one.status) == {"status", "error"}
            assert echo.url in one.status["error"]
            assert "set `oauth.client_id`" in one.status["error"]
        assert "/about" in paths(echo)
        assert PROTECTED not in paths(echo)


@pytest.mark.parametrize(
    "way_in",
    [
        {"registration_endpoint": "https://as.example/register"},
        {"client_id_metadata_document_supported": True},
    ],
)
async def test_one_that_takes_strangers_needs_a_sign_in(way_in: JsonObject) -> None:
    async with echo_server() as echo:
        serve(echo, {f"{PROTECTED}/mcp": resource(echo), SERVER: {"issuer": echo.url, **way_in}})
        assert await status_at(echo) == NEEDS_AUTH


async def test_a_configured_client_needs_a_sign_in_and_nothing_is_asked() -> None:
    async with echo_server() as echo:
        serve(echo, {f"{PROTECTED}/mcp": resource(echo), SERVER: {"issuer": echo.url}})
        assert await status_at(echo, has_client=True) == NEEDS_AUTH
        assert await status_at(echo, detect_oauth=False) == NEEDS_AUTH
        assert paths(echo) == []


@pytest.mark.parametrize(
    ("issuer", "place"),
    [
        ("", SERVER),
        ("", OPENID),
        ("/tenant", f"{SERVER}/tenant"),
        ("/tenant", f"{OPENID}/tenant"),
        ("/tenant", f"/tenant{OPENID}"),
    ],
)
async def test_all_places_of_the_specifications_are_tried(issuer: str, place: str) -> None:
    async with echo_server() as echo:
        serve(echo, {PROTECTED: resource(echo, echo.url + issuer), place: {"issuer": echo.url + issuer}})
        assert (await status_at(echo))["status"] == "needs_client_registration"
        assert paths(echo)[:2] == [f"{PROTECTED}/mcp", PROTECTED]


@pytest.mark.parametrize(
    ("about", "metadata"),
    [
        ({"resource": "https://elsewhere.example/mcp"}, {}),
        ({"authorization_servers": "https://as.example"}, {}),
        ({"authorization_servers": []}, {}),
        ({}, {"issuer": "https://as.example"}),
        ({}, Reply(302, [("Location", "/moved")])),
        ({}, Reply(200, [], b"[]")),
        ({}, Reply(200, [], b"{" + b" " * 300_000)),
        (Reply(500), {}),
    ],
)
async def test_what_does_not_count_leaves_it_at_a_sign_in(about: Any, metadata: Any) -> None:
    async with echo_server() as echo:
        first = {**resource(echo), **about} if isinstance(about, dict) else about
        second = {"issuer": echo.url, **metadata} if isinstance(metadata, dict) else metadata
        serve(echo, {PROTECTED: first, SERVER: second, "/moved": {"issuer": echo.url}})
        assert await status_at(echo) == NEEDS_AUTH
        assert "/moved" not in paths(echo)


async def test_what_was_read_is_kept_and_what_was_not_is_asked_again() -> None:
    async with echo_server() as echo:
        documents: dict[str, Any] = {PROTECTED: resource(echo)}
        serve(echo, documents)
        discovery = OAuthDiscovery(RemoteServer(echo.url + "/mcp"), system_resolve)
        error = McpError("unauthorized", "401")
        assert await discovery.status_of(error) == NEEDS_AUTH
        documents[SERVER] = {"issuer": echo.url}
        found = await discovery.status_of(error)
        assert found["status"] == "needs_client_registration"
        asked = len(echo.log)
        assert await discovery.status_of(error) == found
        assert len(echo.log) == asked


async def test_t24_metadata_of_a_private_address_is_not_fetched_unless_allowed() -> None:
    """The challenge and the metadata are the upstream's words: neither may aim a request at the inside."""
    async with echo_server() as echo, echo_server() as inside:
        serve(inside, {SERVER: {"issuer": inside.url}})
        serve(echo, {PROTECTED: resource(echo, inside.url)})
        assert await status_at(echo, f'Bearer resource_metadata="{inside.url}/about"') == NEEDS_AUTH
        assert await status_at(echo) == NEEDS_AUTH
        assert inside.log == []
        allowed = EgressRules(allow=("127.0.0.1",))
        assert (await status_at(echo, egress=allowed))["status"] == "needs_client_registration"


async def test_other_errors_are_told_as_they_are() -> None:
    discovery = OAuthDiscovery(RemoteServer("https://mcp.example/"), system_resolve)
    assert await discovery.status_of(McpError("unreachable", "why")) == {"status": "failed", "error": "why"}
