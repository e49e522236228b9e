"""What token endpoints answer, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.http import HttpResponse
from integrations.oauth.errors import OAuthAnswerWrong, OAuthError, OAuthRefused
from integrations.oauth.token import TokenAnswer, read_answer

GOOD = {"access_token": "t0ken", "token_type": "Bearer"}


def answer(status: int, body: Any, kind: str = "application/json") -> HttpResponse:
    text = body if isinstance(body, str) else json.dumps(body)
    return HttpResponse(status, [("Content-Type", kind)], text.encode(), "https://as.example/token")


def read(status: int, body: Any, kind: str = "application/json") -> TokenAnswer:
    return read_answer(answer(status, body, kind), ["s3cret-code"])


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(3600, 3600), ("3600", 3600), (1.5, 1.5), (0, None), (-1, None), (None, None), (True, None),
     ("soon", None), ("NaN", None), ([], None), (1e300, 315360000)],
)  # fmt: skip
def test_lives(given: Any, seconds: float | None) -> None:
    assert read(200, {**GOOD, "expires_in": given}).expires_in == seconds


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("access_token=t0ken&token_type=bearer&scope=repo%2Cread", "application/x-www-form-urlencoded"),
        ("access_token=t0ken&token_type=bearer&scope=repo%2Cread", "text/plain"),
        (json.dumps({**GOOD, "scope": "repo,read"}), "text/html"),
        (json.dumps({"access_token": "t0ken", "scope": ["repo", "read"]}), "application/json"),
    ],
)
def test_forms_are_read_like_json(body: str, kind: str) -> None:
    found = read(200, body, kind)
    assert (found.access_token.reveal(), found.scope, found.refresh_token) == ("t0ken", "repo read", None)


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, {"error": "invalid_grant"}, OAuthRefused, "invalid_grant"),
        (200, {"error": "bad_verification_code", "error_description": "gone"}, OAuthRefused, "gone"),
        (200, "error=bad_verification_code", OAuthRefused, "bad_verification_code"),
        (401, {"error": "invalid_client"}, OAuthRefused, "invalid_client"),
        (400, {"error": {"code": 1}}, OAuthRefused, "http_400"),
        (403, "<html>no</html>", OAuthRefused, "http_403"),
        (200, "<html>hello</html>", OAuthAnswerWrong, "has no `access_token`"),
        (200, {**GOOD, "token_type": "DPoP"}, OAuthAnswerWrong, "Bearer"),
        (200, {"token_type": "Bearer"}, OAuthAnswerWrong, "access_token"),
        (200, {**GOOD, "access_token": "a b"}, OAuthAnswerWrong, "characters"),
        (200, {**GOOD, "access_token": "a\r\nX: y"}, OAuthAnswerWrong, "characters"),
        (200, {**GOOD, "access_token": "täken"}, OAuthAnswerWrong, "characters"),
        (200, {**GOOD, "access_token": 5}, OAuthAnswerWrong, "access_token"),
        (200, {**GOOD, "refresh_token": "a b"}, OAuthAnswerWrong, "refresh_token"),
        (200, [], OAuthAnswerWrong, "has no `access_token`"),
    ],
)
def test_refusals(status: int, body: Any, error: type[OAuthError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(status, body)


def test_slacks_words_for_bearer_tokens() -> None:
    assert (
        read(200, {"ok": True, "access_token": "xoxp-1", "token_type": "user"}).access_token.reveal()
        == "xoxp-1"
    )


def test_what_was_sent_is_cut_out_of_what_comes_back() -> None:
    body = {"error": "invalid_grant", "error_description": "the code s3cret-code\u202e is unknown"}
    with pytest.raises(OAuthRefused) as caught:
        read(400, body)
    assert "s3cret" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
