import json

from proxy.config.effective import digest, effective
from proxy.config.model import Config
from tests.proxy.config.texts import API, valid


def config(text: str) -> Config:
    found = valid(text).config
    assert found is not None
    return found


def test_settings_are_shown_as_they_are_written() -> None:
    shown = effective(config("version: 1\nsandbox: {timeout: 90s, memory: 65536KiB}\n"))
    assert (shown["sandbox"]["timeout"], shown["sandbox"]["memory"]) == ("90s", "64MiB")
    assert shown["server"]["listen"] == "127.0.0.1:8080"
    assert shown["rate_limits"]["per-workspace"]["limit"] == "100/minute"
    json.dumps(shown)


def test_null_and_absent_are_told_apart_in_conditions() -> None:
    rule = "policies:\n  - {{pattern: api.*, action: block, when: {{a: {}}}}}\n"
    null = config(API + rule.format("{equals: null}"))
    absent = config(API + rule.format("{exists: true}"))
    assert effective(null)["policies"][0]["when"] == {"a": {"equals": None}}
    assert effective(absent)["policies"][0]["when"] == {"a": {"exists": True}}
    assert digest(null) != digest(absent)


def test_secrets_are_references() -> None:
    text = API.replace("{}", "{auth: {kind: bearer, token: {env: TOKEN}}}")
    shown = effective(config(text))
    assert shown["connections"]["api.org.main"]["auth"]["token"] == {"env": "TOKEN", "file": None}


def test_what_it_shows_is_what_loaded_shows() -> None:
    loaded = valid(API)
    assert loaded.effective() == effective(config(API))
