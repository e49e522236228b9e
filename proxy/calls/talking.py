"""Between an upstream that talks during a call and whoever made the call: nothing it says passes unchecked.

Rules:
- An upstream's words are inert where they are shown: one line, nothing invisible, bounded, without the secrets that the
  call was sent with (T10, T27).
- Progress is bounded in number, however fast the upstream tells it.
- The time in which somebody is asked does not count against the call.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from integrations.conversation import Elicitation, ElicitationAnswer, OnElicit, OnProgress
from integrations.schema_types.text import one_line

Clean = Callable[[str], str]
OnStep = Callable[[str], None]
"""Hears of the progress of one call, as a line of inert text. Neither blocks nor raises."""

SHORTEST_PAUSE_SECONDS: Final = 0.25
_MESSAGE_CHARACTERS: Final = 200


class Pace:
    """Lets one through every quarter of a second. Times are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self._next = -math.inf

    def admits(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + SHORTEST_PAUSE_SECONDS
        return True


def step_text(progress: float, total: float | None, message: str | None) -> str:
    """`3 of 10: message`, as one line of inert text."""
    count = f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
    words = one_line(message or "", _MESSAGE_CHARACTERS)
    return f"{count}: {words}" if words else count


def stepping(on_step: OnStep, clean: Clean, now: Callable[[], float]) -> OnProgress:
    """What an upstream may call as often as it likes."""
    pace = Pace()

    def heard(progress: float, total: float | None, message: str | None) -> None:
        if pace.admits(now()):
            # Secrets first: what is cut or spelled out is not found any more.
            on_step(step_text(progress, total, clean(message) if message else None))

    return heard


def unhurried(ask: OnElicit, limit: asyncio.Timeout) -> OnElicit:
    """The same question, with the deadline standing still meanwhile. The answer must come before the call is over."""

    async def asked(question: Elicitation) -> ElicitationAnswer | None:
        loop = asyncio.get_running_loop()
        when = limit.when()
        limit.reschedule(None)
        before = loop.time()
        try:
            return await ask(question)
        finally:
            if when is not None and not limit.expired():
                limit.reschedule(when + loop.time() - before)

    return asked
