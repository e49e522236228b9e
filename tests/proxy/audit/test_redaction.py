"""What of the arguments a line shows."""

from __future__ import annotations

import orjson
import pytest

from proxy.audit import Redaction
from proxy.audit.redaction import LONGEST


def shown(mode: str, arguments: object, *patterns: str) -> object:
    redaction = Redaction(mode, patterns)  # type: ignore[arg-type]
    return redaction.shown(orjson.dumps(arguments), "aa").get("value")


def test_modes() -> None:
    arguments = orjson.dumps({"password": "hunter2"})
    assert Redaction("none").shown(arguments, "aa") == {}
    assert Redaction("digest").shown(arguments, "aa") == {"sha256": "aa", "bytes": 22}
    assert Redaction("full").shown(arguments, "aa")["value"] == {"password": "hunter2"}
    assert Redaction("redacted").shown(arguments, "aa")["value"] == {"password": "[redacted]"}


def test_nothing_to_show() -> None:
    assert Redaction("full").shown(None, None) == {}


@pytest.mark.parametrize(
    "key",
    ["password", "Password", "userPassword", "user_password", "apiKey", "api_key", "API-KEY", "x-api-key",
     "accessToken", "Authorization", "Set-Cookie", "clientSecret", "private_key", "credentials", "dbPasswd"],
)  # fmt: skip
def test_keys_that_hold_secrets(key: str) -> None:
    assert shown("redacted", {"a": [{key: {"deep": 1}}]}) == {"a": [{key: "[redacted]"}]}


@pytest.mark.parametrize("key", ["passwordless", "tokens_used", "secretary", "keyboard", "pinned", "name"])
def test_keys_that_do_not(key: str) -> None:
    assert shown("redacted", {key: "v"}) == {key: "v"}


def test_a_plain_pattern_names_a_key_at_any_depth_in_any_case() -> None:
    assert shown("redacted", {"SSN": 1, "a": {"ssn": 2, "b": [{"ssn": 3}]}}, "ssn") == {
        "SSN": "[redacted]",
        "a": {"ssn": "[redacted]", "b": [{"ssn": "[redacted]"}]},
    }


def test_a_dotted_pattern_names_the_end_of_a_path() -> None:
    arguments = {"card_number": 1, "payer": {"card_number": 2}, "all": [{"payer": {"card_number": 3}}]}
    assert shown("redacted", arguments, "*.card_number") == {
        "card_number": 1,
        "payer": {"card_number": "[redacted]"},
        "all": [{"payer": {"card_number": "[redacted]"}}],
    }


def test_long_arguments_are_their_digest() -> None:
    long = orjson.dumps({"a": "x" * LONGEST})
    assert Redaction("full").shown(long, "aa") == {"sha256": "aa", "bytes": len(long)}
