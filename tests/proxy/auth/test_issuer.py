"""What the claims of an issuer mean, from plain values. `test_oauth.py` has the rest."""

from __future__ import annotations

import pytest

from proxy.auth.issuer import claim_at, rules_of_issuer, scopes_of
from proxy.config.callers import OauthIssuer


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a"], "scope": "b"}, {"a", "b"}),
        ({"scope": 5}, set()),
        ({"scope": {"a": 1}}, set()),
        ({"scp": [5, "a", None]}, {"a"}),
        ({}, set()),
    ],
)
def test_scopes_stand_in_two_claims_and_three_forms(claims: dict[str, object], scopes: set[str]) -> None:
    assert scopes_of(claims) == scopes


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a", {"b": {"c": 1}, "b.c": 2}),
        ("a.b.c", 1),
        ("a.b", {"c": 1}),
        ("x.y", 3),
        ("a.none", None),
        ("a.b.c.d", None),
        ("none", None),
    ],
)
def test_a_whole_name_comes_before_a_path(name: str, found: object) -> None:
    assert claim_at({"a": {"b": {"c": 1}, "b.c": 2}, "x.y": 3, "x": {"y": 4}}, name) == found


def test_issuers_differ_in_nothing_but_a_slash() -> None:
    rules = rules_of_issuer(OauthIssuer(issuer="https://login.example.com/"), "https://login.example.com/")
    assert rules.name == "https://login.example.com"
    assert rules.spellings == {"https://login.example.com", "https://login.example.com/"}
