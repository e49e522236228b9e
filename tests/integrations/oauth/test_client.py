"""How a client proves itself. A signed assertion is tested where it is sent: tests/proxy/connections/oauth."""

from __future__ import annotations

import base64

import pytest

from integrations.base import Secret
from integrations.oauth.client import OAuthClient, proof, usual_auth
from integrations.oauth.errors import OAuthAnswerWrong


def test_both_halves_of_basic_are_form_encoded() -> None:
    fields, headers = proof(OAuthClient("my client", "client_secret_basic", Secret("a:b/c%")), "")
    assert fields == []
    ((name, value),) = headers
    assert name == "Authorization"
    assert base64.b64decode(value.removeprefix("Basic ")) == b"my+client:a%3Ab%2Fc%25"


def test_a_secret_in_the_body_and_none_at_all() -> None:
    assert proof(OAuthClient("c", "client_secret_post", Secret("s")), "") == (
        [("client_id", "c"), ("client_secret", "s")],
        [],
    )
    assert proof(OAuthClient("c"), "") == ([("client_id", "c")], [])


@pytest.mark.parametrize(
    ("supported", "used"),
    [
        (None, "client_secret_basic"),
        ((), "client_secret_basic"),
        (("client_secret_basic", "client_secret_post"), "client_secret_basic"),
        (("none", "client_secret_post"), "client_secret_post"),
        (("private_key_jwt",), "client_secret_basic"),
    ],
)
def test_what_the_server_lists_is_used(supported: tuple[str, ...] | None, used: str) -> None:
    assert usual_auth(supported) == used


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "none", "HS256"])
def test_a_key_that_cannot_sign_is_named_without_its_words(algorithm: str) -> None:
    client = OAuthClient("c", "private_key_jwt", Secret("canary-no-key"), None, algorithm)
    with pytest.raises(OAuthAnswerWrong) as caught:
        proof(client, "https://as.example")
    assert "canary" not in str(caught.value)
