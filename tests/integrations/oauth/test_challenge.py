"""`WWW-Authenticate` as servers in the field write it."""

import pytest

from integrations.oauth.challenge import bearer_challenge, parse_challenges


@pytest.mark.parametrize(
    ("header", "schemes", "parameters"),
    [
        ("Bearer", ["bearer"], {}),
        ("bearer", ["bearer"], {}),
        ('Bearer realm="x", error="invalid_token"', ["bearer"], {"realm": "x", "error": "invalid_token"}),
        ('Basic realm="y", Bearer scope="a b"', ["basic", "bearer"], {"scope": "a b"}),
        ("Negotiate abc==, Bearer scope=a", ["negotiate", "bearer"], {"scope": "a"}),
        ('Basic realm="a, Bearer x=\\"y\\""', ["basic"], {}),
        ("Bearer resource_metadata=https://a.example/b/", ["bearer"], {"resource_metadata": "https://a.example/b/"}),
        ('Bearer resource_metadata = "https://a/x?c=d,e"', ["bearer"], {"resource_metadata": "https://a/x?c=d,e"}),
        ('Bearer error="e", Bearer resource_metadata="https://a"', ["bearer", "bearer"], {"resource_metadata": "https://a"}),
        ('Bearer scope="one", scope="two"', ["bearer"], {"scope": "one"}),
        ("", [], {}),
        (',,,="', [], {}),
        ('Bearer scope="unended', ["bearer"], {"scope": ""}),
    ],
)  # fmt: skip
def test_challenges(header: str, schemes: list[str], parameters: dict[str, str]) -> None:
    assert [one.scheme for one in parse_challenges(header)][: len(schemes)] == schemes
    assert dict(bearer_challenge(header).parameters) == parameters


def test_endless_headers_are_cut() -> None:
    assert len(parse_challenges('Bearer a="b", ' * 100_000)) < 1000
