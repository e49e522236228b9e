"""From a token to a principal: accounts, groups, scopes, workspaces, audiences, and what is remembered (T30)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from integrations.http import HttpClient
from proxy.auth import (
    Authenticator,
    AuthError,
    AuthRequest,
    IssuerPool,
    KeyRecord,
    Keyring,
    OauthCallers,
    hash_key,
    oauth_callers,
)
from proxy.auth.request import wanted_workspace
from proxy.config import Config
from proxy.config.secrets import Resolver
from proxy.principal import Principal
from proxy.tasks import TaskSupervisor
from tests.oauth.issuer import CLIENT, Issuer, issuing

PUBLIC = "https://executor.example.com"
ENV = {"RS_SECRET": CLIENT[1]}
INTROSPECTION = {"client_id": CLIENT[0], "client_secret": {"env": "RS_SECRET"}}
RED = ("red",)


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


@dataclass
class Front:
    """Callers of one config, asked as an MCP path asks."""

    callers: OauthCallers

    async def enter(self, token: str, path: str = "/mcp", **query: str) -> Principal:
        space = path.split("/")[1] if path.count("/") == 2 and path != "/v1/mcp" else None
        asked = AuthRequest((), {name: (value,) for name, value in query.items()}, space, False, path)
        return await self.callers.principal(token, asked, wanted_workspace(asked))

    async def refused(self, token: str, path: str = "/mcp", **query: str) -> AuthError:
        with pytest.raises(AuthError) as caught:
            await self.enter(token, path, **query)
        return caught.value


Build = Callable[..., Front]


@pytest.fixture
def front(issuer: Issuer, pool: IssuerPool) -> Build:
    issuer.down = False

    def build(*workspaces: str, **entry: Any) -> Front:
        config = Config.model_validate(
            {
                "version": 1,
                "server": {"public_url": PUBLIC},
                "auth": {"oauth": {"issuer": issuer.url, **entry}},
                "workspaces": {name: {} for name in workspaces},
            }
        )
        made = oauth_callers(config, pool, Resolver(ENV))
        assert made is not None
        return Front(made)

    return build


def token(issuer: Issuer, path: str = "/mcp", **claims: Any) -> str:
    return issuer.token(f"{PUBLIC}{path}", **claims)


async def test_a_user_of_an_issuer(issuer: Issuer, front: Build) -> None:
    who = await front().enter(token(issuer, groups=["dev", "ops"], scope="a b", scp=["c"]))
    assert who == Principal(
        "default", f"user:{issuer.url}#alice", "user", frozenset({"dev", "ops"}), frozenset("abc")
    )


@pytest.mark.parametrize(
    ("claims", "told", "groups", "user"),
    [
        ({"groups": "realm_access.roles"}, {"realm_access": {"roles": ["a"]}}, {"a"}, "alice"),
        ({"groups": "https://example.com/groups"}, {"https://example.com/groups": ["a"]}, {"a"}, "alice"),
        ({"groups": "cognito:groups"}, {"cognito:groups": "a"}, {"a"}, "alice"),
        ({"groups": "roles"}, {"roles": {"a": 1}}, set(), "alice"),
        ({}, {"_claim_names": {"groups": "src1"}, "hasgroups": True}, set(), "alice"),
        ({"user": "preferred_username"}, {"preferred_username": "al@x.example"}, set(), "al@x.example"),
        ({"user": "email"}, {"email": "al@x.example", "email_verified": True}, set(), "al@x.example"),
        ({"user": "act.sub"}, {"act": {"sub": "robot"}}, set(), "robot"),
    ],
)
async def test_claims_can_be_named(
    issuer: Issuer, front: Build, claims: dict[str, str], told: Any, groups: set[str], user: str
) -> None:
    who = await front(claims=claims).enter(token(issuer, **told))
    assert who.groups == groups
    assert who.account_id == f"user:{issuer.url}#{user}"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"user": "email"}, {"email": "al@x.example", "email_verified": False}),
        ({"user": "email"}, {}),
        ({"user": "act.sub"}, {"act": "robot"}),
    ],
)
async def test_a_user_without_a_name_is_nobody(
    issuer: Issuer, front: Build, claims: dict[str, str], told: Any
) -> None:
    assert (await front(claims=claims).refused(token(issuer, **told))).status == 401


@pytest.mark.parametrize(
    ("workspaces", "org", "query", "outcome"),
    [
        ((), None, {}, "default"),
        ((), "elsewhere", {}, "default"),
        (RED, None, {}, "red"),
        (RED, "red", {}, "red"),
        (RED, "blue", {}, 403),
        (("red", "blue"), "red", {}, "red"),
        (("red", "blue"), "red", {"workspaceId": "red"}, "red"),
        (("red", "blue"), "red", {"workspaceId": "blue"}, 403),
        (("red", "blue"), "red", {"workspaceId": "green"}, 403),
        (("red", "blue"), ["red", "blue"], {"workspaceId": "blue"}, "blue"),
        (("red", "blue"), ["red", "blue"], {}, 400),
        (("red", "blue"), ["green"], {}, 403),
        (("red", "blue"), None, {}, 403),
        (("red", "blue"), None, {"workspaceId": "red"}, 403),
        (("red", "blue"), 5, {"workspaceId": "red"}, 403),
    ],
)
async def test_the_token_says_which_workspaces(
    issuer: Issuer,
    front: Build,
    workspaces: tuple[str, ...],
    org: Any,
    query: dict[str, str],
    outcome: str | int,
) -> None:
    at = front(*workspaces)
    sent = token(issuer, org_id=org)
    if isinstance(outcome, str):
        assert (await at.enter(sent, **query)).workspace_id == outcome
    else:
        assert (await at.refused(sent, **query)).status == outcome


@pytest.mark.parametrize(
    ("audience", "path", "query", "outcome"),
    [
        ("/mcp", "/mcp", {}, 400),
        ("/mcp", "/mcp", {"workspaceId": "red"}, "red"),
        ("/mcp?workspaceId=red", "/mcp", {"workspaceId": "red"}, "red"),
        ("/mcp?workspaceId=red", "/mcp", {"workspaceId": "blue"}, 401),
        ("/mcp?workspaceId=red", "/mcp", {}, "red"),
        ("/mcp?workspaceId=red", "/v1/mcp", {"workspaceId": "red"}, 401),
        ("/red/mcp", "/red/mcp", {}, "red"),
        ("/red/mcp", "/blue/mcp", {}, 401),
        ("/red/mcp", "/mcp", {"workspaceId": "red"}, 401),
        ("", "/blue/mcp", {}, "blue"),
        ("/", "/blue/mcp", {}, "blue"),
        ("/mcp?workspaceId=red", "", {"workspaceId": "red"}, "red"),
        ("/mcp?workspaceId=red", "", {"workspaceId": "blue"}, 401),
        ("/red/mcp", "", {}, "red"),
    ],
)
async def test_a_token_is_for_the_resource_that_is_called(
    issuer: Issuer, front: Build, audience: str, path: str, query: dict[str, str], outcome: str | int
) -> None:
    at = front("red", "blue")
    sent = token(issuer, audience, org_id=["red", "blue"])
    if isinstance(outcome, str):
        assert (await at.enter(sent, path, **query)).workspace_id == outcome
    else:
        assert (await at.refused(sent, path, **query)).status == outcome


async def test_other_audiences_where_the_config_names_them(issuer: Issuer, front: Build) -> None:
    """WorkOS and others put the id of the client there; some nothing at all."""
    assert (await front(audiences=["client_1"]).enter(issuer.token("client_1"))).account_id.endswith("#alice")
    assert (await front(audiences=["client_1"]).refused(issuer.token("client_2"))).status == 401
    nothing: tuple[Any, ...] = (None, "", [])
    for missing in nothing:
        assert (await front().refused(issuer.token(missing))).status == 401
        who = await front(allow_missing_audience=True).enter(issuer.token(missing))
        assert who.account_id.endswith("#alice")
    assert (await front(allow_missing_audience=True).refused(issuer.token("client_2"))).status == 401


async def test_scopes_are_all_or_none(issuer: Issuer, front: Build) -> None:
    at = front(required_scopes=["executor", "tools:call"])
    error = await at.refused(token(issuer, scope="executor"))
    assert (error.status, error.guessed) == (403, False)
    assert 'error="insufficient_scope"' in (error.www_authenticate or "")
    assert 'scope="executor tools:call"' in (error.www_authenticate or "")
    assert (await at.enter(token(issuer, scope="tools:call executor x"))).scopes == {
        "executor",
        "tools:call",
        "x",
    }


async def test_the_same_subject_of_two_issuers_is_two_accounts(issuer: Issuer, pool: IssuerPool) -> None:
    with issuing() as other:
        config = Config.model_validate(
            {
                "version": 1,
                "server": {"public_url": PUBLIC},
                "auth": {"oauth": [{"issuer": issuer.url}, {"issuer": other.url, "audiences": ["x"]}]},
            }
        )
        callers = oauth_callers(config, pool, Resolver({}))
        assert callers is not None
        at = Front(callers)
        assert (await at.enter(token(issuer))).account_id == f"user:{issuer.url}#alice"
        assert (await at.enter(other.token("x"))).account_id == f"user:{other.url}#alice"
        assert (await at.refused(issuer.token("x"))).status == 401, "audiences are each issuer's own"
        stolen = other.token(f"{PUBLIC}/mcp", iss=issuer.url)
        assert (await at.refused(stolen)).status == 401


async def test_other_spellings_of_an_issuer(issuer: Issuer, front: Build) -> None:
    at = front(token_issuers=["https://sts.windows.net/t/"])
    who = await at.enter(token(issuer, iss="https://sts.windows.net/t/"))
    assert who.account_id == f"user:{issuer.url}#alice"
    assert (await front().refused(token(issuer, iss="https://sts.windows.net/t/"))).status == 401


async def test_a_good_token_is_verified_once(issuer: Issuer, front: Build) -> None:
    at, sent = front(), token(issuer)
    first = await at.enter(sent)
    assert await at.enter(sent) is first


async def test_an_expired_token_is_no_guess(issuer: Issuer, front: Build) -> None:
    """It must not count against the office that its user shares an address with."""
    at = front()
    assert not (await at.refused(token(issuer, exp=1))).guessed
    assert not (await at.refused(issuer.token("https://other.example"))).guessed
    assert (await at.refused(token(issuer)[:-9] + "AAAAAAAAA")).guessed
    assert (await at.refused("nonsense")).guessed


async def test_a_remembered_token_ends_with_its_key(issuer: Issuer, front: Build) -> None:
    with issuing() as own:
        at = front(issuer=own.url)
        sent = token(own)
        await at.enter(sent)
        own.rotate()
        keys = at.callers._issuers[0].keys
        keys._asked = keys._fetched = -float("inf")
        await at.enter(token(own))
        assert (await at.refused(sent)).status == 401


async def test_an_issuer_that_is_down_is_503_and_says_when_to_come_back(front: Build) -> None:
    with issuing() as own:
        own.down = True
        error = await front(issuer=own.url).refused(token(own))
        assert (error.status, error.retry_seconds, error.guessed) == (503, 2, False)


# ---- opaque tokens ---------------------------------------------------------------------------------------------------
async def test_opaque_tokens_are_unknown_without_introspection(issuer: Issuer, front: Build) -> None:
    error = await front().refused(issuer.opaque(f"{PUBLIC}/mcp"))
    assert (error.status, error.guessed, issuer.asked("/introspect")) == (401, True, 0)


async def test_opaque_tokens_are_asked_about_once(issuer: Issuer, front: Build) -> None:
    at = front(introspection=INTROSPECTION)
    sent = issuer.opaque(f"{PUBLIC}/mcp", scope="a", groups=["dev"])
    before = issuer.asked("/introspect")
    found = await asyncio.gather(*(at.enter(sent) for _ in range(8)))
    assert {one.account_id for one in found} == {f"user:{issuer.url}#alice"}
    assert found[0].groups == {"dev"}
    assert found[0].scopes == {"a"}
    assert issuer.asked("/introspect") == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": ["https://evil.example"]},
        {"iss": {"a": 1}},
        {"exp": 1},
        {"exp": "later"},
        {"sub": None},
        {"sub": 5},
        {"cnf": {"jkt": "x"}},
    ],
)
async def test_opaque_tokens_are_judged_like_others(
    issuer: Issuer, front: Build, changes: dict[str, Any]
) -> None:
    sent = issuer.opaque(f"{PUBLIC}/mcp", **changes)
    assert (await front(introspection=INTROSPECTION).refused(sent)).status == 401


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "exk_" + "A" * 43,
        "Bearer abc",
        '"abc"',
        "abc,def",
        "tok\u00e9n",
        "a\x01b",
        "a" * 20_000,
        "=",
        "a=b",
    ],
    ids=lambda text: repr(text)[:12],
)
async def test_the_issuer_is_not_asked_about_what_is_none_of_its_tokens(
    issuer: Issuer, front: Build, sent: str
) -> None:
    """Keys of ours are nobody else's business, and RFC 6750 section 2.1 says what a token is."""
    before = issuer.asked("/introspect")
    error = await front(introspection=INTROSPECTION).refused(sent)
    assert (error.status, error.guessed, issuer.asked("/introspect")) == (401, True, before)


async def test_an_issuer_that_leaves_optional_claims_out(issuer: Issuer, front: Build) -> None:
    sent = issuer.opaque(f"{PUBLIC}/mcp", iss=None, exp=None, iat=None)
    assert (await front(introspection=INTROSPECTION).enter(sent)).account_id == f"user:{issuer.url}#alice"


@pytest.mark.parametrize("trouble", ["down", "refuses us", "nonsense", "no endpoint"])
async def test_introspection_that_fails_is_503(front: Build, trouble: str) -> None:
    with issuing() as own:
        sent = own.opaque(f"{PUBLIC}/mcp")
        asked = dict(INTROSPECTION)
        if trouble == "down":
            own.down = True
        elif trouble == "refuses us":
            asked["client_id"] = "somebody-else"
        elif trouble == "nonsense":
            own.active[sent] = {"active": "yes"}
        else:
            own.metadata = {"introspection_endpoint": None}
        error = await front(issuer=own.url, introspection=asked).refused(sent)
        assert (error.status, error.retry_seconds) == (503, 2)
        assert own.url not in error.message


async def test_the_anonymous_path_asks_for_a_key_and_not_for_a_sign_in(front: Build) -> None:
    keyring = Keyring([KeyRecord("ci", hash_key("secret"), "default")])
    both = Authenticator("keys", keyring, None, ["default"], oauth=front().callers)
    query = {"workspaceId": ("default",)}
    for asked, begin in (
        (AuthRequest((), query, anonymous_path=True), "Send a key: "),
        (AuthRequest((), query, resource_path="/mcp"), "Sign in, or send a key: "),
    ):
        with pytest.raises(AuthError) as caught:
            await both.authenticate(asked)
        assert caught.value.message.startswith(begin)
        assert ("resource_metadata" in (caught.value.www_authenticate or "")) == (not asked.anonymous_path)


# ---- who was let in before -------------------------------------------------------------------------------------------
async def test_t11_a_user_of_before_needs_issuer_and_workspace(issuer: Issuer, front: Build) -> None:
    who = await front("red").enter(token(issuer, org_id="red"))
    assert front("red").callers.still_admits(who)
    assert not front("blue").callers.still_admits(who)
    assert not front("red", issuer="https://login.example.com").callers.still_admits(who)


# ---- where keys come from --------------------------------------------------------------------------------------------
async def test_keys_at_a_private_address_that_only_metadata_name(issuer: Issuer, front: Build) -> None:
    """T24: what an issuer publishes opens no way to the inside."""
    with issuing() as own:
        own.metadata = {"jwks_uri": f"{issuer.url}/jwks"}
        own.keys = issuer.keys
        assert (await front(issuer=own.url).refused(token(own))).status == 503
        allowed = front(issuer=own.url, egress={"allow": ["127.0.0.0/8"]})
        assert (await allowed.enter(token(own))).account_id == f"user:{own.url}#alice"
        named = front(issuer=own.url, jwks_uri=f"{issuer.url}/jwks")
        assert (await named.enter(token(own))).account_id == f"user:{own.url}#alice"


async def test_metadata_of_another_issuer_count_for_nothing(front: Build) -> None:
    with issuing() as own:
        own.metadata = {"issuer": "https://evil.example"}
        assert (await front(issuer=own.url).refused(token(own))).status == 503


async def test_a_reload_keeps_the_keys(issuer: Issuer, front: Build) -> None:
    await front().enter(token(issuer))
    before = issuer.asked("/jwks")
    await front(audiences=["x"]).enter(token(issuer))
    assert issuer.asked("/jwks") == before
