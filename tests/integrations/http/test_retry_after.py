from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from integrations.http.retry_after import milliseconds_asked, seconds_asked


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0", 0),
        (" 3600 ", 3_600_000),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_numbers_of_seconds_and_dates(value: str, milliseconds: int | None) -> None:
    assert milliseconds_asked(value) == milliseconds


def test_a_date_to_come_is_a_wait_from_now() -> None:
    seconds = seconds_asked(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert seconds is not None
    assert 3000 < seconds <= 3600
