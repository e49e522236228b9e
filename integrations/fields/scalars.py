"""Expiry dates, key digests, regular expressions, principals."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from integrations.fields.base import of_text, problem, string_schema


def parse_expiry(value: object) -> datetime:
    """The first instant at which something no longer works, in UTC. A bare date counts to its end."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise problem("E206", "expected a date", "write YYYY-MM-DD, for example 2027-06-30")
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return datetime.combine(date.fromisoformat(value) + timedelta(days=1), datetime.min.time(), UTC)
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise problem(
            "E206", f"`{value[:40]}` is not a date", "write YYYY-MM-DD, for example 2027-06-30"
        ) from None
    if moment.tzinfo is None:
        raise problem("E206", "a time needs its zone", f"did you mean `{value}Z`?")
    return moment.astimezone(UTC)


Expiry = Annotated[
    datetime,
    PlainValidator(parse_expiry),
    PlainSerializer(datetime.isoformat),
    string_schema("^[0-9]{4}-?[0-9W]", "2027-06-30", "2027-06-30T12:00:00Z"),
]


def _key_hash(value: str) -> str:
    if re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        return value
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise problem(
            "E206", "expected sha256: and 64 lower-case hex digits", f"did you mean `sha256:{value.lower()}`?"
        )
    raise problem(
        "E206", "expected sha256: and 64 lower-case hex digits", "`executor keys create NAME` prints the line"
    )


KeyHash = Annotated[
    str,
    BeforeValidator(of_text(_key_hash, "sha256: and 64 hex digits")),
    string_schema("^sha256:[0-9a-f]{64}$"),
]


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise problem("E206", f"not a regular expression: {error.msg} at position {error.pos}") from None
    except (RecursionError, OverflowError):
        raise problem("E206", "not a regular expression: too large") from None
    return value


Regex = Annotated[
    str, BeforeValidator(of_text(_regex, "a regular expression")), WithJsonSchema({"type": "string"})
]


def _principal(value: str) -> str:
    if value == "anonymous" or re.fullmatch(r"(key|user|group):\S(.*\S)?", value):
        return value
    kind, colon, _ = value.partition(":")
    if not colon and value:
        fix = f'did you mean "group:{value}", "key:{value}" or "user:{value}"?'
    else:
        fix = "write key:ID, user:NAME, group:NAME or anonymous"
    if kind in {"groups", "keys", "users", "role", "team"} and colon:
        fix = f'did you mean "{kind[:-1] if kind.endswith("s") else "group"}:{value.partition(":")[2]}"?'
    raise problem("E206", f"`{value}` is not a principal", fix)


PrincipalName = Annotated[
    str,
    BeforeValidator(of_text(_principal, 'a principal like "group:ci"')),
    string_schema(r"^((key|user|group):.+|anonymous)$", "group:ci", "key:ci_bot", "anonymous"),
]


def _role_holder(value: str) -> str:
    """Like a principal; a word alone is a group. Nobody may hold a role without saying who they are."""
    if value == "anonymous":
        fix = 'name who may: "group:ops", "key:ID" or "user:NAME"'
        raise problem("E501", "everybody would have this role, also without a credential", fix)
    return _principal(value if ":" in value or not value else f"group:{value}")


RoleHolder = Annotated[
    str,
    BeforeValidator(of_text(_role_holder, 'a principal like "group:ops"')),
    string_schema(r"^((key|user|group):.+|[^:]+)$", "group:ops", "key:ci_bot"),
]
