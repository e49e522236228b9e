"""`Retry-After` (RFC 9110 section 10.2.3): how long an upstream asks to be left alone.

Some send fractions, or milliseconds in a header of their own (`retry-after-ms`: Azure, OpenAI). Where there is neither:
what the body says, in the words of Discord and Telegram (`retry_after`, seconds) or of Google's APIs (`retryDelay`), or
when a used up rate limit begins again, in the words that GitHub and others have for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
# google.rpc.RetryInfo in the JSON form of a Duration: "3.5s".
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
# Names whose unit is certain; `retryAfter` is seconds for some and milliseconds for others.
_UNITS = {
    "retry_after": 1000,
    "retry_after_seconds": 1000,
    "retryAfterSeconds": 1000,
    "retry_after_ms": 1,
    "retryAfterMs": 1,
}
_AROUND = ("error", "parameters", "extensions")
_PREFIXES = ("x-ratelimit-", "ratelimit-", "x-rate-limit-")
_FIRST_TIMESTAMP = 1_000_000_000


def seconds_asked(value: str) -> float | None:
    """The seconds from now that a `Retry-After` names by number or date; None when it names neither."""
    value = value.strip()
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - datetime.now(UTC).timestamp())


def seconds_to_wait(header: Callable[[str], str]) -> float | None:
    """The seconds that an answer asks for, by `retry-after-ms`, which is finer, or by `retry-after`."""
    finer = header("retry-after-ms").strip()
    return float(finer) / 1000 if _NUMBER.fullmatch(finer) else seconds_asked(header("retry-after"))


def milliseconds_to_wait(header: Callable[[str], str]) -> int | None:
    """The same as agents see it: `retryAfterMs`, a whole number."""
    seconds = seconds_to_wait(header)
    return round(seconds * 1000) if seconds is not None else None


def milliseconds_in_body(content: Any) -> int | None:
    """What the JSON body of a refusal says of it, at its top or in one of the objects that are usual for it."""
    if not isinstance(content, Mapping):
        return None
    inner = [content, *(content[name] for name in _AROUND if isinstance(content.get(name), Mapping))]
    lists = [one.get(name) for one in inner for name in ("details", "errors")]
    inner += [one for found in lists if isinstance(found, list) for one in found if isinstance(one, Mapping)]
    inner += [one["extensions"] for one in inner if isinstance(one.get("extensions"), Mapping)]
    return next((wait for one in inner if (wait := _stated(one)) is not None), None)


def _stated(one: Mapping[str, Any]) -> int | None:
    for name, unit in _UNITS.items():
        value = one.get(name)
        text = "" if isinstance(value, bool) else str(value)
        if _NUMBER.fullmatch(text):
            return round(float(text) * unit)
    delay = _DURATION.fullmatch(str(one.get("retryDelay")))
    return round(float(delay[1]) * 1000) if delay else None


def is_used_up(header: Callable[[str], str]) -> bool:
    """Whether the headers say that nothing remains of a rate limit."""
    return any(header(f"{prefix}remaining").strip() == "0" for prefix in _PREFIXES)


def milliseconds_to_reset(header: Callable[[str], str]) -> int | None:
    """Until a rate limit begins again: seconds from now, or a Unix time."""
    for prefix in _PREFIXES:
        value = header(f"{prefix}reset").strip()
        if value.isascii() and value.isdecimal() and len(value) <= len(str(_FIRST_TIMESTAMP)):
            number = int(value)
            if number >= _FIRST_TIMESTAMP:
                number = max(0, number - int(datetime.now(UTC).timestamp()))
            return number * 1000
    return None
