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
        {"id": "not-bob", "pattern": "shop.*.*.things.get", "action": "block", "principals": ["user:bob"]},
        {"id": "no-ops", "pattern": "shop.*.*.things.list", "action": "block", "principals": ["group:ops"]},
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


async def test_rules_name_users_and_groups(proxy: Proxy, issuer: Issuer) -> None:
    code = """
        const seen = [];
        for (const [tool, args] of [["get", {id: "t1"}], ["list", {}]]) {
            const answer = await tools.shop.org.main.things[tool](args);
            seen.push(answer.ok || answer.error.code);
        }
        return seen;"""
    assert await proxy.value(code, token=token(issuer)) == [True, True]
    assert await proxy.value(code, token=token(issuer, sub="bob")) == ["tool_not_found", True]
    assert await proxy.value(code, token=token(issuer, groups=["ops"])) == [True, "tool_not_found"]


async def test_roles_are_held_by_groups_of_tokens(proxy: Proxy, issuer: Issuer) -> None:
    for groups, status in ((["ops"], 200), (["dev"], 403)):
        async with proxy.client(token(issuer, "", groups=groups)) as client:
            assert (await client.get("/-/status")).status_code == status


async def test_t33_a_forged_host_appears_nowhere(proxy: Proxy) -> None:
    forged = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/evil",
        "forwarded": "host=evil.example",
        "x-original-host": "evil.example",
    }
    paths = (
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp?workspaceId=red",
        "/.well-known/oauth-protected-resource/red/mcp",
        "/.well-known/oauth-protected-resource?resource=https://evil.example/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp",
        "/api/executions",
    )
    async with proxy.client() as client:
        for host in (None, "evil.example"):
            for path in paths:
                headers = {**forged, **({"host": host} if host else {})}
                answer = await client.get(path, headers=headers)
                assert "evil" not in answer.text + str(answer.headers), path


async def test_the_metadata_of_the_authorization_server_come_through(proxy: Proxy, issuer: Issuer) -> None:
    async with proxy.client() as client:
        for path in ("", "/mcp"):
            answer = await client.get(f"/.well-known/oauth-authorization-server{path}")
            assert (answer.status_code, answer.json()["issuer"]) == (200, issuer.url)
        preflight = await client.options("/.well-known/oauth-protected-resource/mcp")
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert (await client.get("/.well-known/oauth-protected-resource/mcp/anonymous")).status_code == 404


async def test_a_server_with_keys_only_says_so_in_words_that_clients_show(shop: Proxy) -> None:
    async with shop.client() as client:
        for method, path in (
            ("POST", "/register"),
            ("GET", "/.well-known/oauth-authorization-server"),
            ("GET", "/.well-known/oauth-protected-resource/mcp"),
            ("GET", "/.well-known/openid-configuration"),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == 404
            assert answer.json()["error"] == "not_found"
            assert isinstance(answer.json()["error_description"], str)


async def test_an_issuer_that_is_down_is_503_and_the_session_survives(
    api: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("down")
    with issuing() as own:
        own.down = True
        server = {"public_url": PUBLIC}
        file = configs.write(
            folder / "executor.yaml", configs.base(api, auth={"oauth": {"issuer": own.url}}, server=server)
        )
        with serving(file, folder / "state", env=configs.ENV) as proxy:
            async with proxy.client(own.token(f"{PUBLIC}/mcp")) as client:
                answer = await post(client, "execute", {"code": WHO})
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
                metadata = await client.get("/.well-known/oauth-authorization-server")
                assert (metadata.status_code, metadata.json()["error"]) == (502, "temporarily_unavailable")
                own.down = False
                while (answer := await post(client, "execute", {"code": WHO})).status_code == 503:
                    pass
                assert answer.status_code == 200
                own.down = True
                assert (await post(client, "execute", {"code": WHO})).status_code == 200
