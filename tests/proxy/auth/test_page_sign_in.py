"""From the request that a browser leaves with to the token it comes back for, and every answer that is none."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from integrations.http import HttpClient
from proxy.auth import IssuerPool, page_issuers
from proxy.auth.page_sign_in import PageIssuer, PageSignInFailed, PageSignInRequest
from proxy.config import Config
from proxy.config.secrets import Resolver
from proxy.tasks import TaskSupervisor
from tests.oauth.issuer import Issuer, issuing

PUBLIC = "https://executor.example.com/team"
CLIENT = "pages"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture
async def pool() -> AsyncIterator[IssuerPool]:
    tasks = TaskSupervisor()
    async with HttpClient() as http:
        yield IssuerPool(http, tasks)
        await tasks.close()


def page_issuer(issuer: Issuer, pool: IssuerPool, **changes: Any) -> PageIssuer:
    entry = {
        "issuer": issuer.url,
        "required_scopes": ["executor"],
        "sign_in": {"client_id": CLIENT, **changes},
    }
    config = Config.model_validate(
        {"version": 1, "server": {"public_url": f"{PUBLIC}/"}, "auth": {"oauth": entry}}
    )
    (made,) = page_issuers(config, pool, Resolver({"SECRET": "client-secret"}))
    return made


def grant(issuer: Issuer, asked: PageSignInRequest, **changes: Any) -> dict[str, str]:
    """A code that the token endpoint takes once, and the callback that brings it."""
    claims = {"nonce": asked.nonce, **changes}
    id_token = issuer.token(claims.pop("aud", CLIENT), header={"typ": "JWT"}, **claims)
    answer = {"access_token": "the-access-token", "token_type": "Bearer", "id_token": id_token}
    issuer.granted["good"] = answer
    return {"code": "good", "state": asked.state}


async def test_the_browser_leaves_with_pkce_state_nonce_and_our_own_address(
    issuer: Issuer, pool: IssuerPool
) -> None:
    asked = PageSignInRequest(issuer.url)
    url = urlsplit(await page_issuer(issuer, pool, scopes=["groups"]).url(asked))
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
    )
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{issuer.url}/authorize"
    assert dict(parse_qsl(url.query)) == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{PUBLIC}/login/callback",
        "state": asked.state,
        "nonce": asked.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "scope": "openid groups executor",
        "resource": PUBLIC,
    }


def test_no_request_is_like_another() -> None:
    one, two = PageSignInRequest("i"), PageSignInRequest("i")
    assert not {one.state, one.nonce, one.verifier} & {two.state, two.nonce, two.verifier}
    assert len({one.state, one.nonce, one.verifier}) == 3


async def test_the_code_is_redeemed_with_the_verifier(issuer: Issuer, pool: IssuerPool) -> None:
    asked, here = PageSignInRequest(issuer.url), page_issuer(issuer, pool)
    assert await here.token(asked, grant(issuer, asked)) == "the-access-token"
    sent = issuer.forms[-1]
    assert sent["code_verifier"] == asked.verifier
    assert sent["redirect_uri"] == f"{PUBLIC}/login/callback"
    assert (sent["client_id"], sent["resource"]) == (CLIENT, PUBLIC)


async def test_a_client_with_a_secret_shows_it(issuer: Issuer, pool: IssuerPool) -> None:
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    try:
        asked = PageSignInRequest(issuer.url)
        here = page_issuer(issuer, pool, client_secret={"env": "SECRET"})
        await here.token(asked, grant(issuer, asked))
        assert issuer.forms[-1]["client_secret"] == "client-secret"
    finally:
        issuer.metadata = {}


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "it belongs to another sign-in"),
        ({"nonce": None}, "it belongs to another sign-in"),
        ({"aud": "another-client"}, "it is for another client"),
        ({"aud": [CLIENT, "other"], "azp": "other"}, "it was issued to another client"),
        ({"iss": "https://evil.example"}, "it is of another issuer"),
        ({"exp": 1}, "expired"),
    ],
)
async def test_t30_an_id_token_of_something_else_signs_nobody_in(
    issuer: Issuer, pool: IssuerPool, claims: dict[str, Any], said: str
) -> None:
    asked = PageSignInRequest(issuer.url)
    with pytest.raises(PageSignInFailed, match=said):
        await page_issuer(issuer, pool).token(asked, grant(issuer, asked, **claims))


async def test_an_id_token_that_is_forged_or_missing(issuer: Issuer, pool: IssuerPool) -> None:
    asked, here = PageSignInRequest(issuer.url), page_issuer(issuer, pool)
    back = grant(issuer, asked)
    head, body, _ = issuer.granted["good"]["id_token"].split(".")
    issuer.granted["good"]["id_token"] = f"{head}.{body}.{'A' * 86}"
    with pytest.raises(PageSignInFailed, match="ID token that is not good"):
        await here.token(asked, back)
    back = grant(issuer, asked)
    del issuer.granted["good"]["id_token"]
    with pytest.raises(PageSignInFailed, match="`openid` must be granted"):
        await here.token(asked, back)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "another"}, "does not belong to the sign-in"),
        ({"state": ""}, "does not belong to the sign-in"),
        ({"iss": "https://evil.example"}, "another authorization server"),
        ({"error": "access_denied"}, "access_denied"),
        ({"code": "used-up"}, "invalid_grant"),
        ({"code": ""}, "no code"),
    ],
)
async def test_t31_callbacks_that_finish_nothing(
    issuer: Issuer, pool: IssuerPool, changes: dict[str, str], said: str
) -> None:
    asked = PageSignInRequest(issuer.url)
    with pytest.raises(PageSignInFailed, match=said):
        await page_issuer(issuer, pool).token(asked, {**grant(issuer, asked), **changes})


async def test_an_issuer_that_is_down(issuer: Issuer, pool: IssuerPool) -> None:
    issuer.down = True
    try:
        with pytest.raises(PageSignInFailed, match="cannot be asked"):
            await page_issuer(issuer, pool).url(PageSignInRequest(issuer.url))
    finally:
        issuer.down = False
