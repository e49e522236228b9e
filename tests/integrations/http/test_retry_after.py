from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from integrations.http.retry_after import (
    is_used_up,
    milliseconds_in_body,
    milliseconds_to_reset,
    milliseconds_to_wait,
    seconds_asked,
)


def header_of(**headers: str) -> Callable[[str], str]:
    return lambda name: headers.get(name.replace("-", "_"), "")


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0", 0),
        (" 3600 ", 3_600_000),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", 1500),
        ("0.0004", 0),
        ("1.", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_numbers_of_seconds_and_dates(value: str, milliseconds: int | None) -> None:
    assert milliseconds_to_wait(header_of(retry_after=value)) == milliseconds


@pytest.mark.parametrize(("finer", "milliseconds"), [("250", 250), ("", 2000), ("soon", 2000), (" 1.5 ", 2)])
def test_milliseconds_are_finer_than_seconds(finer: str, milliseconds: int) -> None:
    assert milliseconds_to_wait(header_of(retry_after="2", retry_after_ms=finer)) == milliseconds


def test_a_date_to_come_is_a_wait_from_now() -> None:
    seconds = seconds_asked(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert seconds is not None
    assert 3000 < seconds <= 3600


@pytest.mark.parametrize(
    ("headers", "milliseconds"),
    [
        ({"x-ratelimit-reset": "7"}, 7000),
        ({"ratelimit-reset": " 0 "}, 0),
        ({"x-rate-limit-reset": "1600000000"}, 0),
        ({"x-ratelimit-reset": "2025-01-01"}, None),
        ({"x-ratelimit-reset": "9" * 11}, None),
        ({}, None),
    ],
)
def test_when_a_limit_begins_again(headers: dict[str, str], milliseconds: int | None) -> None:
    assert milliseconds_to_reset(lambda name: headers.get(name, "")) == milliseconds


def test_a_reset_to_come_is_a_wait_from_now() -> None:
    reset = str(int(datetime.now(UTC).timestamp()) + 3600)
    wait = milliseconds_to_reset(lambda name: reset if name == "x-ratelimit-reset" else "")
    assert wait is not None
    assert 3_000_000 < wait <= 3_600_000


@pytest.mark.parametrize(("remaining", "used_up"), [("0", True), ("00", False), ("", False), ("10", False)])
def test_a_limit_is_used_up_when_nothing_remains(remaining: str, used_up: bool) -> None:
    assert is_used_up(lambda name: remaining if name == "x-ratelimit-remaining" else "") is used_up


@pytest.mark.parametrize(
    ("content", "milliseconds"),
    [
        ({"message": "You are being rate limited.", "retry_after": 1.336, "global": False}, 1336),  # Discord
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}, 35_000),  # Telegram
        ({"error": {"code": 429, "details": [{"@type": "x"}, {"retryDelay": "3.5s"}]}}, 3500),  # Google
        ({"error": {"retry_after_ms": "250"}}, 250),
        ({"retryAfterMs": 0}, 0),
        ({"errors": [{"message": "slow", "extensions": {"retryAfterSeconds": 2}}]}, 2000),
        ({"retryAfter": 5}, None),  # seconds for some, milliseconds for others
        ({"retry_after": "soon"}, None),
        ({"retry_after": True}, None),
        ({"retry_after": -1}, None),
        ({"retry_after": 10**400}, None),
        ({"error": {"details": "text", "retryDelay": "3500"}}, None),
        ({"data": {"retry_after": 5}}, None),
        ([{"retry_after": 5}], None),
        ("retry_after: 5", None),
        (None, None),
    ],
)
def test_what_a_body_says(content: Any, milliseconds: int | None) -> None:
    assert milliseconds_in_body(content) == milliseconds
