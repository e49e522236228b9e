"""Retries over HTTP: which failures are worth another attempt, after which pause, and with which error code they end.

Only calls that can be repeated without harm are repeated, and always inside the caller's deadline.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from integrations.base import Failure, Result
from integrations.http import EgressDenied, HttpError, HttpResponse, TimedOut, TooLarge
from integrations.http.retry_after import seconds_to_wait

_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 20.0
SendOnce = Callable[[], Awaitable[tuple[Result, HttpResponse | None]]]


async def attempt_repeatedly(attempt: SendOnce, attempts: int, deadline: float) -> Result:
    """The result of the first attempt that is not worth repeating, or of the last one.

    `attempt` gives its result and the response it came from, and raises `HttpError` when there is none.
    `deadline` is a reading of `time.monotonic()`; no pause reaches beyond it.
    """
    number = 0
    while True:
        result, pause = await _attempt_once(attempt, number)
        number += 1
        if pause is None or number >= attempts or time.monotonic() + pause >= deadline:
            return result
        await asyncio.sleep(pause)


async def _attempt_once(attempt: SendOnce, number: int) -> tuple[Result, float | None]:
    """One attempt: its result, and the pause before the next one; None when repeating makes no sense."""
    try:
        result, response = await attempt()
    except HttpError as error:
        final = isinstance(error, EgressDenied | TooLarge) or (isinstance(error, TimedOut) and error.sent)
        return failure_of(error), None if final else pause_before(number)
    if response is None or response.status not in _RETRIED_STATUSES:
        return result, None
    return result, retry_after(response, number)


def failure_of(error: HttpError) -> Failure:
    """The failure that agents see when there is no response."""
    if isinstance(error, EgressDenied):
        return Failure("egress_denied", str(error))
    if isinstance(error, TooLarge):
        return Failure("upstream_response_too_large", str(error))
    code = "upstream_timeout" if isinstance(error, TimedOut) else "upstream_unreachable"
    return Failure(code, str(error), retryable=True)


def pause_before(number: int) -> float:
    """Exponential backoff with jitter, so that callers that failed together do not return together."""
    pause = min(_FIRST_PAUSE_SECONDS * float(2**number), _LONGEST_PAUSE_SECONDS)
    return random.uniform(0.5, 1.0) * pause  # noqa: S311 (no secret)


def retry_after(response: HttpResponse, number: int) -> float | None:
    """The pause that the response asks for, or the usual one; too long a wait means no further attempt."""
    seconds = seconds_to_wait(response.header)
    if seconds is None:
        return pause_before(number)
    return seconds + pause_before(0) * 0.5 if seconds <= _LONGEST_PAUSE_SECONDS else None
