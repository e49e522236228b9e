"""Reading and verifying of tokens, where a whole server would not show it. `tests/security` has the table (T30)."""

from __future__ import annotations

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from proxy.auth.jwt import (
    BadToken,
    check_times,
    fitting,
    is_signed_by,
    listed_audiences,
    looks_like_jwt,
    public_keys,
    read_jwt,
)
from tests.oauth.issuer import Issuer, new_key, signed


@pytest.mark.parametrize(
    "algorithm",
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
)
def test_every_algorithm_verifies_with_its_own_key_only(algorithm: str) -> None:
    key, other = new_key(algorithm), new_key(algorithm)
    token = read_jwt(signed({"alg": algorithm}, {"sub": "a"}, key, algorithm))
    assert is_signed_by(token, fitting(public_keys({"keys": [key.as_dict(private=False)]}), algorithm))
    assert not is_signed_by(token, fitting(public_keys({"keys": [other.as_dict(private=False)]}), algorithm))


def entry(kind: str, **more: object) -> dict[str, object]:
    key = new_key({"RSA": "RS256", "EC": "ES256"}[kind])
    return {**key.as_dict(private=False), **more}


@pytest.mark.parametrize(
    ("published", "algorithm", "fits"),
    [
        (entry("EC"), "ES256", True),
        (entry("EC", use="sig", alg="ES256", key_ops=["verify"]), "ES256", True),
        (entry("EC", use="enc"), "ES256", False),
        (entry("EC", alg="ES384"), "ES256", False),
        (entry("EC", key_ops=["deriveBits"]), "ES256", False),
        (entry("EC"), "ES384", False),
        (entry("EC"), "RS256", False),
        (entry("RSA"), "PS512", True),
        (entry("RSA", alg="RS256"), "PS256", False),
        (entry("RSA"), "ES256", False),
        (entry("RSA"), "HS256", False),
    ],
)
def test_a_key_is_for_what_it_says(published: dict[str, object], algorithm: str, fits: bool) -> None:
    assert bool(fitting(public_keys({"keys": [published]}), algorithm)) is fits


@pytest.mark.parametrize(
    "published",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": ["RSA"]},
        {"kty": None},
        {},
        "RSA",
        None,
        {**RSAKey.generate_key(2048).as_dict(private=False), "n": "AQAB"},
    ],
)
def test_what_is_no_usable_key_is_passed_over(published: object) -> None:
    good = entry("EC", kid="good")
    assert [key.kid for key in public_keys({"keys": [published, good]})] == ["good"]


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": None}, {"keys": "RSA"}, {"keys": []}])
def test_no_set_of_keys(document: dict[str, object]) -> None:
    assert public_keys(document) == ()


def test_private_parts_that_a_set_publishes_are_not_kept() -> None:
    (key,) = public_keys({"keys": [ECKey.generate_key("P-256").as_dict(private=True)]})
    assert not key.is_private
    (key,) = public_keys({"keys": [OKPKey.generate_key("Ed25519").as_dict(private=True)]})
    assert not key.is_private


def test_a_set_of_a_thousand_keys_is_cut() -> None:
    assert len(public_keys({"keys": [entry("EC")] * 1000})) == 64


@pytest.mark.parametrize("text", ["", "a", "exk_key", "a.b.c", "ey.b", "ey.a.b.c"])
def test_keys_do_not_look_like_tokens(text: str) -> None:
    assert not looks_like_jwt(text)


def test_the_clock_of_an_issuer_may_be_a_little_ahead() -> None:
    assert check_times({"exp": 101, "nbf": 130, "iat": 129.5}, 100) == 101
    for claims in ({"exp": 100}, {"exp": 200, "nbf": 131}, {"exp": 200, "iat": 131}):
        with pytest.raises(BadToken) as caught:
            check_times(claims, 100)
        assert caught.value.genuine


@pytest.mark.parametrize(
    ("value", "audiences"),
    [("a", {"a"}), (["a", "b"], {"a", "b"}), ("", set()), ([""], set()), (["a", 5], set()), (5, set())],
)
def test_audiences(value: object, audiences: set[str]) -> None:
    assert listed_audiences({"aud": value}) == audiences


def test_a_reason_repeats_nothing_of_the_token() -> None:
    issuer = Issuer("https://login.example.com")
    issuer.rotate()
    with pytest.raises(BadToken) as caught:
        read_jwt(issuer.token("a", header={"typ": 5, "canary": "canary"}))
    assert "canary" not in caught.value.message
