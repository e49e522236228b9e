import pytest

from proxy.config.connection import Connection, PartsAuth, SchemesAuth
from tests.proxy.config.texts import API, only


def connection(auth: object) -> Connection:
    return Connection.model_validate({"auth": auth})


def diagnosed(auth: str) -> tuple[str, str]:
    found = only(API.replace("api.org.main: {}", f"api.org.main: {{auth: {auth}}}"))
    return found.code, found.message


def test_no_auth_is_the_default() -> None:
    assert Connection.model_validate({}).auth.kind == "none"


def test_schemes_take_tokens_values_and_logins() -> None:
    auth = connection(
        {
            "kind": "schemes",
            "schemes": {
                "a": {"token": {"env": "A"}},
                "b": {"value": {"env": "B"}},
                "c": {"username": "u", "password": {"env": "C"}},
            },
        }
    ).auth
    assert isinstance(auth, SchemesAuth)
    assert auth.schemes["a"].secret.env == "A"  # type: ignore[union-attr]
    assert auth.schemes["b"].secret.env == "B"  # type: ignore[union-attr]


def test_parts_keep_their_order() -> None:
    parts = [
        {"kind": "bearer", "token": {"env": "A"}},
        {"kind": "query", "name": "k", "value": {"env": "B"}},
    ]
    auth = connection({"kind": "parts", "parts": parts}).auth
    assert isinstance(auth, PartsAuth)
    assert [part.kind for part in auth.parts] == ["bearer", "query"]


@pytest.mark.parametrize(
    ("auth", "code", "fragment"),
    [
        ("{kind: schemes, schemes: {a: {}}}", "E209", "exactly one of `value`, `token`"),
        ("{kind: schemes, schemes: {token: {tokn: {env: A}}}}", "E201", "unknown key `tokn`"),
        ("{kind: basic, username: bob}", "E202", "`password`"),
        (
            "{kind: oauth2, grant: authorization_code}",
            "E209",
            "`issuer`, or `authorization_url` and `token_url`",
        ),
        (
            "{kind: oauth2, grant: authorization_code, isuer: https://l.example.com}",
            "E201",
            "unknown key `isuer`",
        ),
        (
            "{kind: oauth2, grant: authorization_code, issuer: https://l.example.com, token_url: https://l.example.com}",
            "E209",
            "exactly one of",
        ),
    ],
)
def test_mistakes(auth: str, code: str, fragment: str) -> None:
    found_code, message = diagnosed(auth)
    assert found_code == code
    assert fragment in message
