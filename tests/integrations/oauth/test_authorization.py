"""The request that a browser is sent with, and what may come back with it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from integrations.oauth.authorization import AuthorizationRequest, check_callback, new_verifier
from integrations.oauth.errors import OAuthAnswerWrong, OAuthRefused

ISSUER = "https://as.example"


def request(endpoint: str = "https://as.example/authorize", **more: str) -> AuthorizationRequest:
    return AuthorizationRequest(
        endpoint, "me", "https://x.example/oauth/callback", "st4te", "v" * 64, ["a", "b:c"], "https://r", more
    )


def test_the_url() -> None:
    digest = hashlib.sha256(b"v" * 64).digest()
    found = parse_qs(urlsplit(request(prompt="consent", state="forged", resource="other").url).query)
    assert found == {
        "response_type": ["code"],
        "client_id": ["me"],
        "redirect_uri": ["https://x.example/oauth/callback"],
        "state": ["st4te"],
        "code_challenge": [base64.urlsafe_b64encode(digest).rstrip(b"=").decode()],
        "code_challenge_method": ["S256"],
        "scope": ["a b:c"],
        "resource": ["https://r"],
        "prompt": ["consent"],
    }


def test_an_endpoint_with_a_query_keeps_it() -> None:
    assert request("https://as.example/authorize?tenant=1").url.startswith(
        "https://as.example/authorize?tenant=1&response_type=code&"
    )


def test_verifiers_are_new_each_time() -> None:
    found = {new_verifier() for _ in range(100)}
    assert len(found) == 100
    assert all(43 <= len(one) <= 128 for one in found)


@pytest.mark.parametrize(
    ("parameters", "names_itself", "error"),
    [
        ({"code": "c"}, False, None),
        ({"code": "c", "iss": ISSUER}, True, None),
        ({"code": "c", "iss": ISSUER + "/"}, True, OAuthAnswerWrong),
        ({"code": "c"}, True, OAuthAnswerWrong),
        ({"code": "c", "iss": "https://evil.example"}, False, OAuthAnswerWrong),
        ({"code": "c", "iss": ""}, False, OAuthAnswerWrong),
        ({"error": "access_denied", "iss": "https://evil.example"}, True, OAuthAnswerWrong),
        ({"error": "access_denied", "iss": ISSUER}, True, OAuthRefused),
        ({"error": "access_denied"}, False, OAuthRefused),
        ({}, False, OAuthAnswerWrong),
        ({"code": ""}, False, OAuthAnswerWrong),
    ],
)
def test_callbacks(parameters: dict[str, str], names_itself: bool, error: type[Exception] | None) -> None:
    if error is None:
        assert check_callback(parameters, ISSUER, names_itself) == "c"
        return
    with pytest.raises(error):
        check_callback(parameters, ISSUER, names_itself)
