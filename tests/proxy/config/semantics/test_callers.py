import pytest

from proxy.config.callers import AuthConfig
from proxy.config.semantics.callers import absent

KEYS = {"k": {"value": {"env": "K"}, "groups": ["leads"]}, "bot": {"value": {"env": "B"}}}


def auth(**more: object) -> AuthConfig:
    return AuthConfig.model_validate({"api_keys": {"keys": KEYS}, **more})


@pytest.mark.parametrize(
    ("principal", "why"),
    [
        ("key:k", None),
        ("key:kk", ("there is no such key", "did you mean `key:k`?")),
        ("key:zzz", ("there is no such key", "known: key:bot, key:k")),
        ("group:leads", None),
        ("group:leeds", ("no key is in this group", "did you mean `group:leads`?")),
        ("group:k", ("no key is in this group", "known: group:leads")),
        ("user:ann", ("without `auth.oauth` nobody signs in as a user", "name a key: key:ID")),
        ("user:local", None),
        ("anonymous", ("`auth.anonymous` is off", "write anonymous: true, or remove it")),
    ],
)
def test_who_cannot_call(principal: str, why: tuple[str, str] | None) -> None:
    assert absent(auth(), principal) == why
    signing = {"algorithm": "HS256", "secret": {"env": "S"}}
    assert absent(AuthConfig.model_validate({"api_keys": {"signing": signing}}), principal) is None
    oauth = {"authorization_servers": ["https://l.example.com"]}
    assert absent(auth(oauth=oauth), principal) is None


@pytest.mark.parametrize("principal", ["group:nobody", "key:k", "user:ann"])
def test_without_auth_only_local_callers_come_in(principal: str) -> None:
    said = "without an `auth` section every caller is `user:local`"
    assert absent(None, principal) == (said, "add `auth`, or remove it")
    assert absent(None, "user:local") is None
    assert absent(None, "anonymous") is None


def test_anonymous_callers_where_they_are_admitted() -> None:
    assert absent(auth(anonymous=True), "anonymous") is None


def test_groups_that_no_key_has() -> None:
    none = AuthConfig.model_validate({"api_keys": {"keys": {"k": {"value": {"env": "K"}}}}})
    assert absent(none, "group:ops") == ("no key is in this group", "give a key `groups: [...]`")
