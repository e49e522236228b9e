"""Callers who sign in: tokens of an issuer on every path of a served proxy, its metadata, its challenges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.e2e.upstream import Upstream
from tests.oauth.issuer import Issuer, issuing

PUBLIC = "https://executor.example.com"
WHO = "return 1"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(api: Upstream, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("oauth")
    config = configs.base(
        api,
        auth={
            "oauth": {"issuer": issuer.url, "required_scopes": ["executor"]},
            "roles": {"admin": ["ops"]},
        },
        workspaces={"red": {}, "blue": {}},
        server={"public_url": PUBLIC, "reload": {"settle": "100ms", "poll_interval": "1s"}},
    )
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", env=configs.ENV) as running:
        yield running


def token(issuer: Issuer, path: str = "/mcp", **changes: Any) -> str:
    claims = {"scope": "openid executor", "org_id": "red", "groups": ["dev"], **changes}
    return issuer.token(f"{PUBLIC}{path}", **claims)


async def test_a_token_of_the_issuer_is_a_user(proxy: Proxy, issuer: Issuer) -> None:
    answer = await proxy.execute(WHO, token=token(issuer))
    assert answer.value == 1
    assert answer.structured["workspaceId"] == "red"
    assert answer.structured["accountId"] == f"user:{issuer.url}#alice"


async def test_without_a_token_the_challenge_says_where_to_sign_in(proxy: Proxy) -> None:
    async with proxy.client() as client:
        for path, named in (
            ("/mcp", "/mcp"),
            ("/mcp?workspaceId=red", "/mcp?workspaceId=red"),
            ("/red/mcp", "/red/mcp"),
            ("/api/executions", ""),
        ):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == (
                f'Bearer resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource{named}", scope="executor"'
            )


async def test_the_metadata_of_a_resource(proxy: Proxy, issuer: Issuer) -> None:
    async with proxy.client() as client:
        answer = await client.get(
            "/.well-known/oauth-protected-resource/mcp", headers={"origin": "https://a.example"}
        )
    assert answer.json() == {
        "resource": f"{PUBLIC}/mcp",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["executor"],
    }
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_missing_scopes_are_all_named(proxy: Proxy, issuer: Issuer) -> None:
    async with proxy.client(token(issuer, scope="openid")) as client:
        answer = await post(client, "execute", {"code": WHO})
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="executor"' in challenge
