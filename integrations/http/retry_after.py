"""`Retry-After` (RFC 9110 section 10.2.3): how long an upstream asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_DIGITS = 9


def seconds_asked(value: str) -> float | None:
    """The seconds from now that a `Retry-After` names by number or date; None when it names neither."""
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value) if len(value) <= _LONGEST_DIGITS else None
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - datetime.now(UTC).timestamp())


def milliseconds_asked(value: str) -> int | None:
    """The same as agents see it: `retryAfterMs`, a whole number."""
    seconds = seconds_asked(value)
    return round(seconds * 1000) if seconds is not None else None
