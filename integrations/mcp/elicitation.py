"""Passes an elicitation of a handshake-era server on to the caller that it is meant for.

The protocol does not say which call an elicitation belongs to: over stdio nothing does, over HTTP only the stream that
it came on. So it is passed on only when all calls under way on this connection belong to one party. Otherwise it is
refused: what one user's call asks must never be shown to, or answered by, another user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from integrations.conversation import SILENT, Conversation, ElicitationAnswer, ElicitationRequest


class _ActiveCall:
    """One call under way. `limit` is its deadline, which is suspended while a question is open."""

    __slots__ = ("conversation", "limit", "over", "turn", "waiting")

    def __init__(self, conversation: Conversation, limit: asyncio.Timeout) -> None:
        self.conversation = conversation
        self.limit = limit
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.over = False


class ElicitationRouter:
    """The calls under way on one connection, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_ActiveCall] = []

    @contextmanager
    def call(self, conversation: Conversation | None, limit: asyncio.Timeout) -> Iterator[None]:
        """While the body runs, questions of the server may belong to this call."""
        one = _ActiveCall(conversation or SILENT, limit)
        self._calls.append(one)
        try:
            yield
        finally:
            one.over = True
            self._calls.remove(one)

    async def ask(self, question: ElicitationRequest) -> ElicitationAnswer | None:
        """Pass a question on and wait for the answer. None: it is not clear whom to ask, or nobody can be."""
        if not self._calls or len({one.conversation.party for one in self._calls}) > 1:
            return None
        one = min(self._calls, key=lambda call: call.waiting)
        ask = one.conversation.ask
        if ask is None:
            return None
        one.waiting += 1
        try:
            async with one.turn:
                with _deadline_suspended(one):
                    return None if one.over else await ask(question)
        finally:
            one.waiting -= 1


@contextmanager
def _deadline_suspended(call: _ActiveCall) -> Iterator[None]:
    """The time in which a person is asked does not count against the call's deadline."""
    loop = asyncio.get_running_loop()
    when = call.limit.when()
    if when is None or call.over:
        yield
        return
    remaining = when - loop.time()
    call.limit.reschedule(None)
    try:
        yield
    finally:
        if not call.over:
            call.limit.reschedule(loop.time() + remaining)
