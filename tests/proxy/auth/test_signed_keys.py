"""Signed keys and anonymous tokens: what passes for what, what ends them, and which key material is read (T36)."""

from __future__ import annotations

import hmac
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from proxy.auth import Authenticator, AuthError, Keyring, SignedKeys
from proxy.auth.jwt import BadToken
from proxy.auth.signed_keys import ANONYMOUS_SECONDS, ANONYMOUS_TYPE, KEY_TYPE, SigningKeys
from proxy.config.signing_keys import private_key_problem, public_key_problem, secret_problem
from proxy.principal import Principal
from tests.oauth.issuer import encoded, new_key, signed
from tests.proxy.auth.samples import bearer, request

PAIR = ECKey.generate_key("P-256")
PRIVATE = PAIR.as_pem(private=True).decode()
PUBLIC = PAIR.as_pem(private=False).decode()
SECRET = "0123456789abcdef0123456789abcdef"


def keys(algorithm: Any = "ES256", clock: Any = time.time, **changes: Any) -> SignedKeys:
    loaded = (
        SigningKeys.load("ES256", PRIVATE)
        if algorithm == "ES256"
        else SigningKeys.load("HS256", secret=SECRET)
    )
    settings: dict[str, Any] = {"ttl_seconds": 604800, "audiences": ["executor-mcp"], "anonymous": True}
    return SignedKeys(loaded, clock=clock, **{**settings, **changes})


def original(**changes: Any) -> str:
    """A key as the original makes it: HS256, `typ` JWT, neither id nor groups."""
    now = int(time.time())
    claims = {
        "workspaceId": "red",
        "accountId": "k1",
        "aud": "executor-mcp",
        "sub": "k1",
        "iat": now,
        "exp": now + 60,
    }
    header = {"alg": "HS256", "typ": "JWT"}
    return signed(header, {**claims, **changes}, OctKey.import_key(SECRET), "HS256")


def confused(secret: str) -> str:
    """Signed with the public key as if it were a shared secret."""
    head = f"{encoded({'alg': 'HS256', 'typ': KEY_TYPE})}.{encoded({'a': 1})}"
    return f"{head}.{encoded(hmac.digest(secret.encode(), head.encode(), 'sha256'))}"


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_a_key_says_what_it_opens(algorithm: str) -> None:
    made = keys(algorithm)
    text, said = made.create("ci", "red", ["dev", "ops"])
    assert made.verify(text) == said
    assert (said.kind, said.account, said.workspace) == ("key", "ci", "red")
    assert said.groups == {"dev", "ops"}
    assert said.id
    assert 604790 < said.expires - time.time() <= 604800
    assert len(text) < 450


def test_a_key_of_the_original_works() -> None:
    found = keys("HS256").verify(original())
    assert found is not None
    assert (found.account, found.workspace, found.id) == ("k1", "red", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"aud": "other"},
        {"aud": None},
        {"workspaceId": None},
        {"workspaceId": 5},
        {"accountId": None, "sub": None},
        {"nbf": time.time() + 1000},
    ],
)
def test_a_key_that_lacks_something(changes: dict[str, Any]) -> None:
    with pytest.raises(BadToken) as caught:
        keys("HS256").verify(original(**changes))
    assert caught.value.genuine


def test_neither_passes_for_the_other() -> None:
    made = keys()
    key, _ = made.create("ci", "red")
    token, said = made.anonymous_token("red")
    assert said.account.startswith("anon_")
    assert len(said.account) == 37
    assert said.expires <= time.time() + ANONYMOUS_SECONDS
    found = made.verify(token), made.verify(key)
    assert [one.kind for one in found if one is not None] == ["anonymous", "key"]
    claims = {"workspaceId": "red", "accountId": "root", "aud": "executor-mcp", "exp": time.time() + 60}
    for kind in ("JWT", "at+jwt", None):
        header = {"alg": "ES256", **({"typ": kind} if kind else {})}
        assert made.verify(signed(header, claims, PAIR, "ES256")) is None, "not one of ours"
    with pytest.raises(BadToken, match="Anonymous tokens"):
        made.verify(signed({"alg": "ES256", "typ": ANONYMOUS_TYPE}, claims, PAIR, "ES256"))


@pytest.mark.parametrize(
    "text",
    [
        confused(PUBLIC),
        signed({"alg": "ES256", "typ": KEY_TYPE}, {"a": 1}, new_key(), "ES256"),
        f"{encoded({'alg': 'none', 'typ': KEY_TYPE})}.{encoded({'a': 1})}.",
        f"{encoded({'alg': 'none', 'typ': KEY_TYPE})}.{encoded({'a': 1})}.AAAA",
        signed({"alg": "ES256", "typ": KEY_TYPE, "crit": ["x"]}, {"a": 1}, PAIR, "ES256"),
        original(),
        original(alg="none"),
    ],
)
def test_t30_forged_keys(text: str) -> None:
    with pytest.raises(BadToken):
        keys().verify(text)


def test_beside_a_pair_the_secret_takes_no_anonymous_tokens_and_no_other_types_ever() -> None:
    alone = keys("HS256")
    token, said = alone.anonymous_token("red")
    assert alone.verify(token) == said
    beside = SigningKeys.load("HS256", PRIVATE, secret=SECRET)
    both = SignedKeys(beside, ttl_seconds=60, audiences=["executor-mcp"], anonymous=True)
    with pytest.raises(BadToken):
        both.verify(token)
    assert both.verify(both.anonymous_token("red")[0])
    assert both.verify(both.create("ci", "red")[0])
    claims = {"workspaceId": "red", "accountId": "anon_1", "aud": "executor-mcp", "exp": time.time() + 60}
    for kind in (ANONYMOUS_TYPE, "at+jwt", "dpop+jwt"):
        header = {"alg": "HS256", "typ": kind}
        with pytest.raises(BadToken):
            both.verify(signed(header, claims, OctKey.import_key(SECRET), "HS256"))


def test_a_key_ends_with_its_time_also_when_it_is_remembered() -> None:
    now = [time.time()]
    made = keys(clock=lambda: now[0])
    text, _ = made.create("ci", "red", ttl_seconds=30)
    assert made.verify(text)
    now[0] += 31
    with pytest.raises(BadToken, match="expired"):
        made.verify(text)


def test_t36_a_revoked_id_is_out() -> None:
    text, said = keys().create("ci", "red")
    with pytest.raises(BadToken, match="revoked") as caught:
        keys(revoked=[said.id]).verify(text)
    assert caught.value.genuine


def test_two_public_keys_during_a_rotation() -> None:
    text, _ = keys().create("ci", "red")
    new = ECKey.generate_key("P-256").as_pem(private=True).decode()
    settings: dict[str, Any] = {"ttl_seconds": 60, "audiences": ["executor-mcp"]}
    both = SignedKeys(SigningKeys.load("ES256", new, [PUBLIC]), **settings)
    assert both.verify(text)
    assert both.verify(both.create("new", "red")[0])
    with pytest.raises(BadToken):
        SignedKeys(SigningKeys.load("ES256", new), **settings).verify(text)


def test_who_only_verifies_creates_nothing() -> None:
    only = SignedKeys(SigningKeys.load("ES256", public=[PUBLIC]), ttl_seconds=60, audiences=["executor-mcp"])
    assert not only.can_create
    assert not only.gives_anonymous_tokens
    assert only.verify(keys().create("ci", "red")[0])


def openssl(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("form", ["SEC1", "PKCS8", "with parameters", "literal line breaks"])
def test_private_keys_as_people_keep_them(form: str, tmp_path: Path) -> None:
    made = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
    if form == "PKCS8":
        made = openssl("pkcs8", "-topk8", "-nocrypt", stdin=made)
    elif form == "with parameters":
        made = openssl("ecparam", "-name", "prime256v1", "-genkey")
        assert "EC PARAMETERS" in made
    elif form == "literal line breaks":
        made = made.strip().replace("\n", "\\n")
    assert private_key_problem(made) is None
    loaded = SigningKeys.load("ES256", made)
    own = SignedKeys(loaded, ttl_seconds=60, audiences=["executor-mcp"])
    assert own.verify(own.create("ci", "red")[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ECKey.generate_key("P-384").as_pem(private=True).decode(), "is on the curve secp384r1"),
        (new_key("RS256").as_pem(private=True).decode(), "is no key on a curve"),  # type: ignore[union-attr]
        (PUBLIC, "is no private key"),
        ("hunter2", "is no private key"),
        ("", "is no private key"),
    ],
)
def test_private_keys_that_cannot_sign(text: str, why: str) -> None:
    assert (private_key_problem(text) or "").startswith(why)


def test_public_keys_and_secrets() -> None:
    assert public_key_problem(PUBLIC) is None
    assert public_key_problem(PRIVATE) == "is no public key in PEM"
    assert "P-256" in (public_key_problem(ECKey.generate_key("P-521").as_pem(private=False).decode()) or "")
    assert secret_problem(SECRET) is None
    assert secret_problem("change-me") == "has 9 bytes; HS256 needs at least 32"


# ---- as callers ------------------------------------------------------------------------------------------------------
def front(signed_keys: SignedKeys | None = None, **more: Any) -> Authenticator:
    return Authenticator("keys", Keyring(()), None, ["red", "blue"], signed=signed_keys or keys(), **more)


async def test_a_signed_key_is_an_account_in_its_workspace() -> None:
    text, said = keys().create("ci", "red", ["dev"])
    who = await front().authenticate(request(bearer(text)))
    assert who == Principal(
        "red", "key:ci", "key", frozenset({"dev"}), claims={"jti": said.id, "exp": said.expires}
    )
    for wanted, status in (("red", None), ("blue", 403), ("green", 403)):
        asked = request(bearer(text), anonymous_path=True, workspaceId=[wanted])
        if status is None:
            assert (await front().authenticate(asked)).account_id == "key:ci"
        else:
            with pytest.raises(AuthError) as caught:
                await front().authenticate(asked)
            assert caught.value.status == status


async def test_an_account_that_signs_in_has_no_keys() -> None:
    text, _ = keys().create("user:https://login.example.com#root", "red")
    with pytest.raises(AuthError, match="Key authentication is not enabled") as caught:
        await front().authenticate(request(bearer(text)))
    assert caught.value.status == 403


async def test_an_anonymous_token_is_an_account_of_its_own() -> None:
    who = front()
    token, said = who.anonymous_token("red")
    found = await who.authenticate(request(bearer(token)))
    assert (found.account_id, found.kind, found.workspace_id) == (said.account, "anonymous", "red")
    assert found.caller().anonymous
    with pytest.raises(AuthError, match="no key") as caught:
        await who.authenticate(request(bearer(token), anonymous_path=True, workspaceId=["red"]))
    assert caught.value.status == 401
    closed = front(keys(anonymous=False))
    with pytest.raises(AuthError):
        await closed.authenticate(request(bearer(token)))
    with pytest.raises(AuthError, match="not configured"):
        closed.anonymous_token("red")
    for named, status in ((None, 400), ("green", 403)):
        with pytest.raises(AuthError) as caught:
            who.anonymous_token(named)
        assert caught.value.status == status


async def test_t11_a_signed_caller_of_before_is_checked_again() -> None:
    text, said = keys().create("ci", "red")
    who = await front().authenticate(request(bearer(text)))
    assert front().refresh(who) == who
    assert front(keys(revoked=[said.id])).refresh(who) is None
    assert Authenticator("keys", Keyring(()), None, ["blue"], signed=keys()).refresh(who) is None
    assert Authenticator("keys", Keyring(()), None, ["red"]).refresh(who) is None
    late = keys(clock=lambda: said.expires + 1)
    assert front(late).refresh(who) is None
    guest, _ = front().anonymous_token("red")
    anonymous = await front().authenticate(request(bearer(guest)))
    assert front().refresh(anonymous) == anonymous
    assert front(keys(anonymous=False)).refresh(anonymous) is None
    assert front().refresh(Principal("red", "key:ci", "key")) is None, "a key by hash that left"
