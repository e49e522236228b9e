from __future__ import annotations

import pytest

from integrations.base import Credential, CredentialPart, Secret
from integrations.credentials import CredentialProblem, cookie_pair, placed, placements_of

URL = "https://x.example/p?key=old&q=1"


def sent(
    *parts: CredentialPart, headers: list[tuple[str, str]] | None = None
) -> tuple[str, list[tuple[str, str]]]:
    return placed(URL, headers or [], placements_of(Credential(parts)))


def test_bearer_and_basic_fill_the_authorization_header() -> None:
    there = [("authorization", "own"), ("X", "1")]
    assert sent(CredentialPart("bearer", Secret("t")), headers=there)[1] == [
        ("X", "1"),
        ("Authorization", "Bearer t"),
    ]
    assert sent(CredentialPart("bearer", Secret("t"), prefix="Token "))[1] == [("Authorization", "Token t")]
    basic = CredentialPart("basic", Secret("pä:ss"), username=Secret("me"))
    assert sent(basic)[1] == [("Authorization", "Basic bWU6cMOkOnNz")]
    assert sent(CredentialPart("basic", Secret("p")))[1] == [("Authorization", "Basic OnA=")]


def test_headers_query_and_cookies() -> None:
    assert sent(CredentialPart("header", Secret("v"), "X-Key", prefix="Key "))[1] == [("X-Key", "Key v")]
    assert sent(CredentialPart("query", Secret("a&b c"), "key"))[0] == "https://x.example/p?q=1&key=a%26b%20c"
    assert placed(
        "https://x.example", [], placements_of(Credential((CredentialPart("query", Secret("v"), "k"),)))
    )[0] == ("https://x.example?k=v")
    there = [("Cookie", "a=1; sid=old"), ("cookie", "b=2")]
    cookies = (CredentialPart("cookie", Secret("s;d"), "sid"), CredentialPart("cookie", Secret("z"), "z"))
    assert sent(*cookies, headers=there)[1] == [("Cookie", "a=1; b=2; sid=s%3Bd; z=z")]
    assert cookie_pair("n", "ä b") == "n=%C3%A4%20b"


def test_nothing_is_changed_without_a_credential() -> None:
    assert sent(headers=[("Cookie", "a=1")]) == (URL, [("Cookie", "a=1")])


@pytest.mark.parametrize("secret", ["a\nb", "a\r", "\x00", "\x7f"])
def test_control_characters_are_refused_without_telling_the_secret(secret: str) -> None:
    with pytest.raises(CredentialProblem) as caught:
        sent(CredentialPart("header", Secret(f"s3cret{secret}"), "X"))
    assert caught.value.failure.code == "connection_not_ready"
    assert "s3cret" not in str(caught.value)
