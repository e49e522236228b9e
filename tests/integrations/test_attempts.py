from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from integrations.attempts import attempt_repeatedly, failure_of, pause_before, retry_after
from integrations.base import Failure, Result, Success
from integrations.http import EgressDenied, HttpError, HttpResponse, TimedOut, TooLarge, Unreachable

Outcome = HttpError | HttpResponse
OK = HttpResponse(200, [], b"", "")


def answer(status: int, **headers: str) -> HttpResponse:
    listed = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpResponse(status, listed, b"", "")


def scripted(*outcomes: Outcome) -> tuple[Callable[[], object], list[Outcome]]:
    left = list(outcomes)

    async def attempt() -> tuple[Result, HttpResponse | None]:
        outcome = left.pop(0)
        if isinstance(outcome, HttpError):
            raise outcome
        result: Result = Success(1) if outcome.status == 200 else Failure("upstream_http_error", "no")
        return result, outcome

    return attempt, left


async def used(*outcomes: Outcome, attempts: int = 3, seconds: float = 30.0) -> int:
    """How many of the outcomes were used up."""
    attempt, left = scripted(*outcomes)
    await attempt_repeatedly(attempt, attempts, time.monotonic() + seconds)  # type: ignore[arg-type]
    return len(outcomes) - len(left)


SOON = answer(503, retry_after="0")


async def test_what_may_pass_is_tried_again() -> None:
    assert await used(SOON, SOON, OK, OK) == 3
    assert await used(Unreachable("gone", sent=True), OK) == 2
    assert await used(TimedOut("no connection"), OK) == 2


async def test_what_cannot_pass_is_not() -> None:
    for outcome in (
        answer(500),
        answer(400),
        EgressDenied("no"),
        TooLarge("big"),
        TimedOut("late", sent=True),
    ):
        assert await used(outcome, OK) == 1


async def test_attempts_and_the_deadline_are_limits() -> None:
    assert await used(SOON, SOON, SOON, OK, attempts=2) == 2
    assert await used(SOON, OK, attempts=1) == 1
    assert await used(SOON, OK, seconds=0.0) == 1
    assert await used(answer(429, retry_after="10"), OK, seconds=5.0) == 1
    assert await used(answer(429, retry_after="3600"), OK, seconds=9999.0) == 1


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (EgressDenied("a"), "egress_denied", False),
        (TooLarge("b"), "upstream_response_too_large", False),
        (TimedOut("c"), "upstream_timeout", True),
        (Unreachable("d"), "upstream_unreachable", True),
    ],
)
def test_failures_have_codes(error: HttpError, code: str, retryable: bool) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.retryable, failure.message) == (code, retryable, str(error))


def test_pauses_grow_to_a_limit() -> None:
    for number in range(12):
        assert 0 < pause_before(number) <= 20.0
    assert pause_before(0) <= 0.2


def test_retry_after_in_seconds_as_date_and_as_nonsense() -> None:
    assert 3.0 <= (retry_after(answer(503, retry_after="3"), 0) or 0) <= 3.2
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    assert 6.0 <= (retry_after(answer(503, retry_after=date), 0) or 0) <= 8.2
    naive = date.removesuffix("GMT") + "-0000"
    assert 6.0 <= (retry_after(answer(503, retry_after=naive), 0) or 0) <= 8.2
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert (retry_after(answer(503, retry_after=past), 0) or 9) < 0.2
    assert (retry_after(answer(503, retry_after="soon"), 0) or 9) <= 0.2
    assert retry_after(answer(503, retry_after="21"), 0) is None
