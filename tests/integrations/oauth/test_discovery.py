"""Where metadata is looked for, what of it counts, and what a hostile server cannot make us do (T24, T32)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.http import EgressRules, HttpClient
from integrations.oauth.challenge import bearer_challenge
from integrations.oauth.discovery import (
    authorization_server,
    resource_metadata,
    same_issuer,
    server_metadata_urls,
)
from integrations.oauth.errors import DiscoveryFailed
from integrations.oauth.http import MAX_BYTES, OAuthHttp
from tests.integrations.echo import Echo, Reply, Seen, echo_server
from tests.integrations.oauth.server import METADATA, OPENID, Quirks, auth_server


def asking(http: HttpClient, *servers: str) -> OAuthHttp:
    return OAuthHttp(http, EgressRules(origins=frozenset(servers)))


async def test_a_foreign_host_of_metadata_is_never_asked() -> None:
    async with auth_server() as server, echo_server() as foreign, HttpClient() as http:
        challenge = bearer_challenge(f'Bearer resource_metadata="{foreign.url}/metadata"')
        asked = asking(http, server.url, foreign.url)
        found = await resource_metadata(asked, f"{server.url}/api", challenge)
        assert found is not None
        assert found.authorization_servers == (server.url,)
        assert foreign.log == []


async def test_a_private_authorization_server_needs_leave() -> None:
    """The upstream names it, so it is nobody's word: only the config's own origins may be private."""
    async with auth_server() as server, HttpClient() as http:
        with pytest.raises(DiscoveryFailed, match="no metadata"):
            await authorization_server(asking(http), server.url)
        assert server.echo.log == []


def endless(echo: Echo) -> list[int]:
    sizes = [0]

    def answer(seen: Seen) -> Reply:
        body = b'{"issuer": "' + b"a" * (3 * MAX_BYTES)
        sizes.append(len(body))
        return Reply(200, [("Content-Type", "application/json")], body, length=10**12)

    echo.answer = answer
    return sizes


async def test_endless_metadata_is_cut() -> None:
    async with echo_server() as echo, HttpClient() as http:
        endless(echo)
        with pytest.raises(DiscoveryFailed):
            await authorization_server(asking(http, echo.url), echo.url)
        assert await asking(http, echo.url).metadata(f"{echo.url}/any") is None


@pytest.mark.parametrize(
    ("resource", "counts"),
    [
        ("{url}/api", True),
        ("{url}/api/", True),
        ("{url}", True),
        ("{url}/", True),
        ("{url}/ap", False),
        ("{url}/api/v2", False),
        ("https://elsewhere.example/api", False),
        ("not a url", False),
        (["{url}/api"], False),
    ],
)
async def test_whose_metadata_it_is(resource: Any, counts: bool) -> None:
    async with echo_server() as echo, HttpClient() as http:
        named = resource.format(url=echo.url) if isinstance(resource, str) else resource
        body = json.dumps({"resource": named, "authorization_servers": [echo.url]}).encode()
        echo.answer = lambda seen: Reply(200, [], body)
        found = await resource_metadata(asking(http, echo.url), f"{echo.url}/api", bearer_challenge(""))
        assert (found is not None) == counts
        if found is not None:
            assert found.resource == named


@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        ("{url}", (METADATA,)),
        ("{url}/", (METADATA,)),
        ("{url}", (OPENID,)),
        ("{url}/tenant", (f"{METADATA}/tenant",)),
        ("{url}/tenant", (f"{OPENID}/tenant",)),
        ("{url}/oauth2/default", (f"/oauth2/default{OPENID}",)),
    ],
)
async def test_all_places_of_the_specifications_are_tried(issuer: str, places: tuple[str, ...]) -> None:
    async with auth_server(Quirks(issuer=issuer, metadata_at=places)) as server, HttpClient() as http:
        found = await authorization_server(asking(http, server.url), server.issuer)
        assert found.token_endpoint == f"{server.url}/token"


@pytest.mark.parametrize(
    ("published", "asked", "same"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://a.example/", "https://a.example", True),
        ("https://a.example", "https://a.example/", True),
        ("https://a.example/t/", "https://a.example/t", False),
        ("https://b.example", "https://a.example", False),
        ("http://a.example", "https://a.example", False),
        (None, "https://a.example", False),
    ],
)
def test_issuers_are_equal_but_for_a_root_slash(published: Any, asked: str, same: bool) -> None:
    assert same_issuer(published, asked) == same


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        (Quirks(pkce=("plain",)), "PKCE"),
        (Quirks(extra_metadata={"issuer": "https://other.example"}), "another issuer"),
        (Quirks(extra_metadata={"token_endpoint": None}), "no token endpoint"),
        (Quirks(extra_metadata={"token_endpoint": "ftp://x"}), "no usable URL"),
        (Quirks(html_wells=True), "no metadata"),
    ],
)
async def test_metadata_that_cannot_be_used(quirks: Quirks, words: str) -> None:
    async with auth_server(quirks) as server, HttpClient() as http:
        with pytest.raises(DiscoveryFailed, match=words):
            await authorization_server(asking(http, server.url), server.url)


async def test_no_list_of_pkce_methods_is_fine() -> None:
    async with auth_server(Quirks(pkce=None)) as server, HttpClient() as http:
        found = await authorization_server(asking(http, server.url), server.url)
        assert found.takes_strangers


def test_an_issuer_that_is_no_url_is_not_asked() -> None:
    assert all("well-known" in url for url in server_metadata_urls("https://a.example"))
