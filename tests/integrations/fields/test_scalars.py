from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from integrations.fields import KeyHash, PrincipalName, Regex, RoleHolder, parse_expiry

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def help_of(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return str(caught.value.errors()[0].get("ctx", {})["help"])


def test_a_date_counts_to_its_end() -> None:
    assert parse_expiry("2027-06-30") == datetime(2027, 7, 1, tzinfo=UTC)
    assert parse_expiry("2027-06-30T12:00:00+02:00") == datetime(2027, 6, 30, 10, tzinfo=UTC)
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    assert parse_expiry(moment) is moment


@pytest.mark.parametrize(
    "value", ["30.06.2027", "2027-13-01", "2027-06-30T12:00:00", 20270630, "never", "9999-12-31"]
)
def test_other_dates(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_expiry(value)


def test_key_digests() -> None:
    assert TypeAdapter(KeyHash).validate_python(f"sha256:{DIGEST}") == f"sha256:{DIGEST}"
    assert f"did you mean `sha256:{DIGEST}`?" == help_of(KeyHash, DIGEST.upper())
    assert "keys create" in help_of(KeyHash, "hunter2")


def test_regular_expressions() -> None:
    assert TypeAdapter(Regex).validate_python("[a-z]+") == "[a-z]+"
    for value in ("(", "*", "[z-a]", 5, "a{99999999999}"):
        with pytest.raises(ValidationError):
            TypeAdapter(Regex).validate_python(value)


@pytest.mark.parametrize(
    "value", ["anonymous", "key:ci", "user:ann@example.com", "group:a/b", "group:Domain Admins"]
)
def test_principals(value: str) -> None:
    assert TypeAdapter(PrincipalName).validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "help"),
    [
        ("ci", 'did you mean "group:ci"'), ("groups:ci", 'did you mean "group:ci"?'),
        ("role:x", 'did you mean "group:x"?'),
        ("key:", "write key:ID"), ("", "write key:ID"), ("group: x", "write key:ID"),
    ],
)  # fmt: skip
def test_other_principals(value: str, help: str) -> None:
    assert help_of(PrincipalName, value).startswith(help)


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("approvers", "group:approvers"), ("Domain Admins", "group:Domain Admins"),
        ("group:approvers", "group:approvers"),
        ("key:ci", "key:ci"), ("user:ann", "user:ann"),
    ],
)  # fmt: skip
def test_roles_are_held_by_principals_and_a_word_alone_is_a_group(value: str, held: str) -> None:
    assert TypeAdapter(RoleHolder).validate_python(value) == held


@pytest.mark.parametrize("value", ["", "role:x", "group:", " x", "anonymous", 5])
def test_roles_are_held_by_nothing_else(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RoleHolder).validate_python(value)
