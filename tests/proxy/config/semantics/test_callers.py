import pytest

from proxy.config.callers import AuthConfig, full_names
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


def test_a_user_of_several_issuers_needs_its_issuer() -> None:
    several = auth(oauth=[{"issuer": "https://l.example.com"}, {"issuer": "https://m.example.com"}])
    why = absent(several, "user:ann")
    assert why is not None
    assert why[1] == "write for example user:https://l.example.com#ann"
    for known in ("user:https://m.example.com#ann", "user:local", "group:x", "key:x"):
        assert absent(several, known) is None


def test_with_one_issuer_a_short_name_means_its_user() -> None:
    one = auth(oauth={"issuer": "https://l.example.com/"})
    names = ["user:ann", "user:local", "group:ops", "user:https://m.example.com#ann"]
    assert full_names(one, names) == ("user:https://l.example.com#ann", *names[1:])
    assert full_names(auth(), names) == full_names(None, names) == tuple(names)


def test_anonymous_callers_where_they_are_admitted() -> None:
    assert absent(auth(anonymous=True), "anonymous") is None


def test_groups_that_no_key_has() -> None:
    none = AuthConfig.model_validate({"api_keys": {"keys": {"k": {"value": {"env": "K"}}}}})
    assert absent(none, "group:ops") == ("no key is in this group", "give a key `groups: [...]`")
