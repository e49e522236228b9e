from __future__ import annotations

import time

from integrations.base import Credential, CredentialPart, Secret
from integrations.graphql.exchange import ACCEPT, addressed, post
from integrations.http import EgressRules, HttpClient, HttpResponse, origin_of
from tests.integrations.echo import Echo, Reply, echo_server


def test_own_headers_win_and_the_credential_wins_over_them() -> None:
    own = {"accept": "application/json", "Authorization": "own"}
    credential = Credential((CredentialPart("bearer", Secret("t")),))
    url, headers = addressed("https://x.example/graphql#part", own, credential)
    assert url == "https://x.example/graphql"
    assert headers == [
        ("Content-Type", "application/json"), ("accept", "application/json"), ("Authorization", "Bearer t"),
    ]  # fmt: skip
    assert dict(addressed("https://x.example/graphql", {}, Credential())[1])["Accept"] == ACCEPT


async def sent(echo: Echo, http: HttpClient) -> HttpResponse:
    rules = EgressRules(origins=frozenset({origin_of(echo.url)}))
    return await post(
        http, f"{echo.url}/graphql", [("Authorization", "s")], b"{}",
        deadline=time.monotonic() + 5, max_bytes=10_000, allow=rules,
    )  # fmt: skip


async def test_only_redirects_that_keep_method_and_origin_are_followed() -> None:
    async with echo_server() as other, echo_server() as echo, HttpClient() as http:
        echo.replies["/graphql"] = [Reply(308, [("Location", "/v2")])]
        assert (await sent(echo, http)).status == 200
        assert (echo.log[-1].target, echo.log[-1].body, echo.log[-1].method) == ("/v2", b"{}", "POST")
        for status, target in ((302, "/v2"), (307, f"{other.url}/v2")):
            echo.replies["/graphql"] = [Reply(status, [("Location", target)])]
            assert (await sent(echo, http)).status == status
        assert other.log == []


async def test_redirects_have_an_end() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/graphql"] = [Reply(307, [("Location", "/graphql")])]
        assert (await sent(echo, http)).status == 307
        assert len(echo.log) == 6
