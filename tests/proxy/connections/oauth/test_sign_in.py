"""Somebody signs in: whose token it becomes, who is refused (T31, T32), and what real servers do differently."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.connections.oauth.basis import SignInProblem
from proxy.principal import Principal
from proxy.state import MemoryState
from tests.integrations.oauth.server import METADATA, OPENID, Quirks, auth_server
from tests.proxy.connections.oauth.support import ANN, BASE, BOB, NOBODY, replica, visit
from tests.proxy.support import call, data_of, failure_of

MINE = "shop.user.me"
OURS = "shop.org.main"


async def test_every_account_signs_in_for_itself(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        mine = one[MINE]
        failure = failure_of(await call(mine, "items.list", principal=ANN))
        assert failure.code == "oauth_reauth_required"
        assert failure.details == {
            "connection": MINE,
            "account": "key:ann",
            "url": f"{BASE}/sign-in/{MINE}",
        }
        await one.sign_in(MINE, ANN)
        server.account = "bob-upstream"
        await one.sign_in(MINE, BOB)
        assert data_of(await call(mine, "items.list", principal=ANN))["account"] == "ann"
        assert data_of(await call(mine, "items.list", principal=BOB))["account"] == "bob-upstream"
        assert (mine.status_for(ANN)["status"], mine.status_for(NOBODY)["status"]) == (
            "connected",
            "needs_auth",
        )
        # The same account name in another workspace is somebody else.
        elsewhere = Principal("other", "key:ann", "key")
        assert failure_of(await call(mine, "items.list", principal=elsewhere)).code == "oauth_reauth_required"
        assert failure_of(await call(mine, "items.list", principal=NOBODY)).code == "oauth_reauth_required"
        assert set(server.api_log) <= set(mine.known_secrets(ANN)) | set(mine.known_secrets(BOB))
        assert not set(mine.known_secrets(ANN)) & set(mine.known_secrets(BOB))


async def test_a_shared_connection_is_signed_in_to_by_operators(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        with pytest.raises(SignInProblem) as refused:
            await one.sign_in(OURS, ANN)
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
        await one.sign_in(OURS, ANN, operator=True)
        assert data_of(await call(one[OURS], "items.list", principal=BOB))["account"] == "ann"
        assert await one.sign_ins.sign_out(OURS, ANN, operator=True)
        assert not await one.sign_ins.sign_out(OURS, ANN, operator=True)
        assert server.tokens == {}
        assert one[OURS].status == {"status": "needs_auth"}


async def test_what_one_began_no_other_finishes(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        begun = await one.sign_ins.begin(MINE, ANN, operator=False)
        brought = await visit(begun.url)
        with pytest.raises(SignInProblem) as refused:
            await one.sign_ins.complete(brought, BOB, operator=True)
        assert refused.value.status == 403
        await one.sign_ins.complete(brought, ANN, operator=False)
        # Once only, and never for a state that nobody began.
        for given in (brought, {**brought, "state": "forged"}, {"code": brought["code"]}):
            with pytest.raises(SignInProblem) as refused:
                await one.sign_ins.complete(given, ANN, operator=False)
            assert (refused.value.status, refused.value.code) == (400, "state_mismatch")


async def test_the_issuer_must_be_the_one_that_was_asked(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        for wrong in ({"iss": "https://evil.example"}, {"iss": None}):
            begun = await one.sign_ins.begin(MINE, ANN, operator=False)
            brought = {k: v for k, v in {**await visit(begun.url), **wrong}.items() if v is not None}
            with pytest.raises(SignInProblem) as refused:
                await one.sign_ins.complete(brought, ANN, operator=False)
            assert (refused.value.status, refused.value.code) == (400, "state_mismatch")
        assert [asked for asked in server.asked if asked["grant_type"] == "authorization_code"] == []


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/oauth/callback",
        "http://evil.example/oauth/callback",
        "http://127.0.0.1:9/else",
        "http://127.0.0.1:9/oauth/callback?x=1",
        "http://127.0.0.1@evil.example/oauth/callback",
        "javascript:alert(1)",
        "",
    ],
)
async def test_redirects_lead_here_or_to_this_machine(
    tmp_path: Path, env: Mapping[str, str], redirect: str
) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        with pytest.raises(SignInProblem) as refused:
            await one.sign_ins.begin(MINE, ANN, operator=False, redirect_uri=redirect)
        assert refused.value.status == 400
        local = "http://127.0.0.1:43123/oauth/callback"
        begun = await one.sign_ins.begin(MINE, ANN, operator=False, redirect_uri=local)
        await one.sign_ins.complete(await visit(begun.url), ANN, operator=False)
        assert server.redirected[-1]["redirect_uri"] == local


async def test_begun_on_one_replica_and_called_back_on_another(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    state = MemoryState()
    async with (
        auth_server() as server,
        replica(tmp_path, env, server, state) as first,
        replica(tmp_path, env, server, state) as second,
    ):
        begun = await first.sign_ins.begin(MINE, ANN, operator=False)
        brought = await visit(begun.url)
        outcomes = await asyncio.gather(
            *(one.sign_ins.complete(brought, ANN, operator=False) for one in (first, second)),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in outcomes) == ["SignInProblem", "str"]
        for one in (first, second):
            assert one.open[MINE].oauth is not None
            data_of(await call(one[MINE], "items.list", principal=ANN))


async def test_tokens_are_renewed_by_one_and_a_dead_sign_in_is_told(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """Four replicas, rotation, tokens that are due at once: no refresh token is used twice."""
    state = MemoryState()
    async with auth_server(Quirks(expires_in=3600)) as server:
        async with (
            replica(tmp_path, env, server, state) as a,
            replica(tmp_path, env, server, state) as b,
            replica(tmp_path, env, server, state) as c,
            replica(tmp_path, env, server, state) as d,
        ):
            await a.sign_in(MINE)
            for _ in range(4):
                server.revoke_all()
                calls = [
                    call(one[MINE], "items.list", principal=ANN) for one in (a, b, c, d) for _ in range(5)
                ]
                for result in await asyncio.gather(*calls):
                    data_of(result)
            assert server.refused == 0
            assert server.issued == 5
            server.grants[0].dead = True
            server.revoke_all()
            failure = failure_of(await call(a[MINE], "items.list", principal=ANN))
            assert failure.code == "oauth_reauth_required"
            assert "invalid_grant" in failure.message
            assert a[MINE].status_for(ANN) == {"status": "needs_auth"}


QUIRKS: dict[str, tuple[Quirks, dict[str, Any]]] = {
    "github": (
        Quirks(registers=False, forms=True, errors_with_200=True, expires_in=None, refresh=False,
               names_itself=False, metadata_at=(), token_type="bearer"),
        {"authorization_url": "{url}/authorize", "token_url": "{url}/token", "client_id": "cid",
         "client_secret": {"env": "S"}, "client_auth": "post", "scopes": ["repo", "read:org"]},
    ),
    "slack": (
        Quirks(registers=False, strict_redirect=f"{BASE}/oauth/callback", client_auths=("client_secret_post",)),
        {"issuer": "{url}", "client_id": "cid", "client_secret": {"env": "S"}, "redirect_port": 3118},
    ),
    "linear": (Quirks(documents=True), {"issuer": "{url}", "registration": "dynamic"}),
    "notion": (Quirks(expires_in=3600, rotates=True), {"issuer": "{url}"}),
    "atlassian": (Quirks(dead_code="unauthorized_client"), {"issuer": "{url}"}),
    "sentry": (Quirks(expires_in="900"), {"issuer": "{url}"}),
    "google": (
        Quirks(registers=False, rotates=False, metadata_at=(OPENID,), scopes=("openid", "mail"),
               refuses_scopes=("offline_access",), issuer="{url}/",
               needs_params={"access_type": "offline", "prompt": "consent"}),
        {"issuer": "{url}", "client_id": "cid", "client_secret": {"env": "S"}, "scopes": ["mail"],
         "authorization_params": {"access_type": "offline", "prompt": "consent"}},
    ),
    "entra": (
        Quirks(registers=False, resource="refused", pkce=None, issuer="{url}/tenant/v2.0",
               metadata_at=(f"/tenant/v2.0{OPENID}",), scopes=("openid", "offline_access")),
        {"issuer": "{url}/tenant/v2.0", "client_id": "cid", "client_secret": {"env": "S"},
         "resource": False, "scopes": ["api://app/.default"]},
    ),
    "okta": (
        Quirks(issuer="{url}/oauth2/default", metadata_at=(f"/oauth2/default{OPENID}",), registers=False),
        {"issuer": "{url}/oauth2/default", "client_id": "cid"},
    ),
    "auth0": (
        Quirks(issuer="{url}/", needs_params={"audience": "https://api.example"}),
        {"issuer": "{url}", "audience": "https://api.example", "resource": False},
    ),
    "workos": (
        Quirks(resource="required"),
        {"issuer": "{url}", "resource": "https://api.example/mcp"},
    ),
    "keycloak": (
        Quirks(resource="refused", issuer="{url}/realms/a", metadata_at=(f"{METADATA}/realms/a",)),
        {"issuer": "{url}/realms/a", "resource": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("vendor", QUIRKS)
async def test_vendors(tmp_path: Path, env: Mapping[str, str], vendor: str) -> None:
    """Sign in, call, let the token end, call again: with every vendor's own ways."""
    quirks, options = QUIRKS[vendor]
    async with auth_server(quirks) as server:
        server.clients["cid"] = "s3cret-of-the-app" if "client_secret" in options else ""
        filled = {k: v.format(url=server.url) if isinstance(v, str) else v for k, v in options.items()}
        async with replica(
            tmp_path, env, server, MemoryState(), filled, secrets={"S": "s3cret-of-the-app"}
        ) as one:
            await one.sign_in(MINE)
            assert data_of(await call(one[MINE], "items.list", principal=ANN))["account"] == "ann"
            assert server.redirected[-1].items() >= quirks.needs_params.items()
            assert ("offline_access" in server.redirected[-1].get("scope", "")) == (vendor == "entra")
            server.revoke_all()
            if quirks.refresh:
                data_of(await call(one[MINE], "items.list", principal=ANN))
                assert server.asked[-1]["grant_type"] == "refresh_token"
                server.grants[-1].dead = True
                server.revoke_all()
            failure = failure_of(await call(one[MINE], "items.list", principal=ANN))
            assert failure.code == "oauth_reauth_required"
            await one.sign_in(MINE)
            data_of(await call(one[MINE], "items.list", principal=ANN))
            uses_document = any(asked["client_id"].startswith("https") for asked in server.asked)
            assert not uses_document


async def test_a_server_that_forgets_its_clients_gets_a_new_one(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server(Quirks(names_itself=False)) as server:
        async with replica(tmp_path, env, server, MemoryState()) as one:
            await one.sign_in(MINE)
            server.clients.clear()
            server.revoke_all()
            failure = failure_of(await call(one[MINE], "items.list", principal=ANN))
            assert failure.code == "oauth_reauth_required"
            assert "forgotten this client" in failure.message
            await one.sign_in(MINE)
            data_of(await call(one[MINE], "items.list", principal=ANN))


@pytest.mark.parametrize(
    ("quirks", "auth"),
    [
        (Quirks(registers=False), {}),
        (Quirks(), {"registration": "off"}),
        (Quirks(), {"registration": "metadata_document"}),
    ],
)
async def test_no_way_to_a_client_is_said(
    tmp_path: Path, env: Mapping[str, str], quirks: Quirks, auth: dict[str, Any]
) -> None:
    async with auth_server(quirks) as server:
        async with replica(tmp_path, env, server, MemoryState(), {"issuer": server.issuer, **auth}) as one:
            with pytest.raises(SignInProblem, match="set `client_id`") as refused:
                await one.sign_ins.begin(MINE, ANN, operator=False)
            assert (refused.value.status, refused.value.code) == (409, "needs_client_registration")


async def test_a_document_describes_us_where_the_server_takes_it(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    base = "https://executor.example.com"
    async with auth_server(Quirks(documents=True)) as server:
        async with replica(tmp_path, env, server, MemoryState(), base=base) as one:
            await one.sign_in(MINE)
            assert server.redirected[-1]["client_id"] == f"{base}/oauth/client.json"
            document = one.sign_ins.document()
            assert document is not None
            assert document["client_id"] == f"{base}/oauth/client.json"
            assert server.redirected[-1]["redirect_uri"] in document["redirect_uris"]  # type: ignore[operator]
            assert server.clients == {}


async def test_another_client_or_server_is_not_given_the_token(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    state = MemoryState()
    async with auth_server() as server, auth_server() as other:
        async with replica(tmp_path, env, server, state) as one:
            await one.sign_in(MINE)
        async with replica(tmp_path, env, other, state) as moved:
            failure = failure_of(await call(moved[MINE], "items.list", principal=ANN))
            assert "settings have changed" in failure.message
            assert other.api_log == []


async def test_a_restart_with_an_ended_token_refreshes_it(tmp_path: Path, env: Mapping[str, str]) -> None:
    state = MemoryState()
    async with auth_server(Quirks(expires_in=0.001)) as server:
        async with replica(tmp_path, env, server, state) as one:
            await one.sign_in(MINE)
        server.revoke_all()
        server.quirks.expires_in = 3600
        async with replica(tmp_path, env, server, state) as again:
            data_of(await call(again[MINE], "items.list", principal=ANN))
        assert (server.issued, server.refused, len(server.redirected)) == (2, 0, 1)


async def test_a_server_that_is_down_keeps_the_sign_in(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server, replica(tmp_path, env, server, MemoryState()) as one:
        await one.sign_in(MINE)
        server.revoke_all()
        server.down = True
        failure = failure_of(await call(one[MINE], "items.list", principal=ANN))
        assert (failure.code, failure.retryable) == ("oauth_refresh_failed", True)
        asked = len(server.echo.log)
        failure_of(await call(one[MINE], "items.list", principal=ANN))
        tokens = [seen for seen in server.echo.log[asked:] if seen.path == "/token"]
        assert tokens == []  # all replicas wait for the same moment
        assert one[MINE].status_for(ANN)["status"] == "connected"
