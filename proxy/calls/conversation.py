"""What an upstream says during a call (progress, questions), made safe for whoever made the call.

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
from dataclasses import asdict, dataclass, replace
from typing import Final

from integrations.conversation import (
    Conversation,
    ElicitationAnswer,
    ElicitationRequest,
    InputNeeded,
    OnElicit,
    OnProgress,
    Reply,
)
from integrations.json_text import read_json, write_json
from integrations.schema_types.text import one_line
from proxy.calls.scrub import Scrubber

Clean = Callable[[str], str]
OnStep = Callable[[str], None]
"""Hears of the progress of one call, as a line of inert text. Neither blocks nor raises."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The other end of a call, for whoever sends it. `party`, `ask` and `reply` are those of `Conversation`."""

    on_step: OnStep
    party: str = ""
    ask: OnElicit | None = None
    reply: Reply | None = None


SHORTEST_PAUSE_SECONDS: Final = 0.25
_MESSAGE_CHARACTERS: Final = 200


class ProgressThrottle:
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


def throttled_progress(on_step: OnStep, clean: Clean, now: Callable[[], float]) -> OnProgress:
    """What an upstream may call as often as it likes."""
    pace = ProgressThrottle()

    def heard(progress: float, total: float | None, message: str | None) -> None:
        if pace.admits(now()):
            # Secrets first: what is cut or canonical_args out is not found any more.
            on_step(step_text(progress, total, clean(message) if message else None))

    return heard


def without_deadline(ask: OnElicit, limit: asyncio.Timeout) -> OnElicit:
    """The same question, with the deadline standing still meanwhile. The answer must come before the call is over."""

    async def asked(question: ElicitationRequest) -> ElicitationAnswer | None:
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


class UpstreamCleaner:
    """Takes the secrets that a call was sent with out of what its upstream says."""

    def __init__(self, scrubber: Scrubber, known: tuple[str, ...]) -> None:
        self._scrubber = scrubber
        self._known = known

    def conversation(self, talk: Talk, limit: asyncio.Timeout) -> Conversation:
        """What the upstream may do during the call. `limit` is the call's deadline."""
        progress = throttled_progress(talk.on_step, self.text, asyncio.get_running_loop().time)
        ask = self._asking(without_deadline(talk.ask, limit)) if talk.ask is not None else None
        return Conversation(talk.party, progress, ask, talk.reply)

    def text(self, text: str) -> str:
        return self._scrubber.clean_text(text, self._known)

    def question(self, question: ElicitationRequest) -> ElicitationRequest:
        body = self._scrubber.clean(write_json(asdict(question)), self._known)
        return ElicitationRequest(**read_json(body))

    def needed(self, needed: InputNeeded) -> InputNeeded:
        """`state` goes back to the upstream only, and stays as it is."""
        return replace(needed, questions={key: self.question(one) for key, one in needed.questions.items()})

    def _asking(self, ask: OnElicit) -> OnElicit:
        async def asked(question: ElicitationRequest) -> ElicitationAnswer | None:
            return await ask(self.question(question))

        return asked
