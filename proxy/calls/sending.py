"""The second half of an inner call: limit, send, bound, scrub."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from integrations.base import Failure, PreparedCall, Result
from integrations.conversation import SILENT, Conversation, InputNeeded
from integrations.json_text import MAX_DEPTH, JsonTooDeep, write_value
from proxy.calls import outcome
from proxy.calls.approval import CallTrace, Ready, with_key
from proxy.calls.conversation import Talk, UpstreamCleaner
from proxy.calls.outcome import CallLimiter, CallSubject, PlainValue, Settlement
from proxy.calls.scrub import Scrubber
from proxy.catalog import CatalogTool
from proxy.connections import OpenConnection

# How long whoever has just signed in waits until the tools are listed.
_LISTING_SECONDS: Final = 10.0
# To look through more than so many bytes takes milliseconds, in which the event loop does something else.
_LARGE: Final = 128 * 1024
# Of its own: a file that cannot be read keeps a thread of the common pool for as long as it likes.
_THREADS: Final = ThreadPoolExecutor(2, "redaction")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Of one inner call. `timeout_seconds` is a ceiling over the connection's own timeout; an upstream that does not
    keep it is cut off `grace_seconds` later.
    """

    timeout_seconds: float = 120.0
    grace_seconds: float = 2.0
    result_bytes: int = 8 * 1024 * 1024


class CallSender:
    """Sends calls to upstreams. A credential is first seen inside `OpenConnection.invoke`."""

    def __init__(self, limits: CallLimits, limiter: CallLimiter, scrubber: Scrubber) -> None:
        self.limits = limits
        self._limiter = limiter
        self._scrubber = scrubber

    async def send(
        self,
        ready: Ready,
        tool: CatalogTool,
        connection: OpenConnection,
        prepared: PreparedCall,
        talk: Talk | None = None,
    ) -> Settlement | InputNeeded:
        """One call of a connection's tool; rate limits count it. With `talk` it may end with questions."""
        trace = ready.trace
        refused = await self.limited(trace, tool.integration, tool.prefix, tool.address)
        if refused is not None:
            return outcome.failed(refused)
        known = connection.known_secrets(trace.principal)
        cleaner = UpstreamCleaner(self._scrubber, tuple(known))
        result = await self._invoked(trace, connection, with_key(prepared, trace.context), talk, cleaner)
        if isinstance(result, InputNeeded):
            return cleaner.needed(result)
        # A secret file may have been replaced while the call was under way: both values may be in the answer.
        both = (*known, *connection.known_secrets(trace.principal))
        return await self._without(self.bounded(trace, result), both)

    async def sign_in(
        self, trace: CallTrace, connection: OpenConnection, talk: Talk | None
    ) -> Settlement | InputNeeded:
        """A call of a connection whose tools are not known before somebody has signed in."""
        refused = await self.limited(trace, connection.integration, connection.prefix, trace.path)
        if refused is not None:
            return outcome.failed(refused)
        conversation = Conversation(talk.party, reply=talk.reply) if talk is not None else SILENT
        wanted = await connection.begin(conversation, trace.principal, _LISTING_SECONDS)
        if isinstance(wanted, InputNeeded):
            return wanted
        return outcome.failed(wanted or outcome.tools_known_now(connection.prefix))

    async def limited(
        self, trace: CallTrace, integration: str, connection: str, address: str
    ) -> Failure | None:
        """Count the call towards the rate limits that fit it; a failure when one of them is used up."""
        session = trace.context.session_id
        subject = CallSubject(trace.principal, session, integration, connection, address)
        refusal = await self._limiter.admit(subject)
        if refusal is None:
            return None
        details = {"scope": refusal.name, "retryAfterMs": refusal.retry_after_ms}
        seconds = -(-refusal.retry_after_ms // 1000)
        message = f"The rate limit `{refusal.name}` {refusal.reason}. Try again in {seconds} s."
        return Failure("rate_limited", message, True, details=details)

    async def _invoked(
        self,
        trace: CallTrace,
        connection: OpenConnection,
        prepared: PreparedCall,
        talk: Talk | None,
        cleaner: UpstreamCleaner,
    ) -> Result | InputNeeded:
        seconds = self.limits.timeout_seconds
        try:
            async with asyncio.timeout(seconds + self.limits.grace_seconds) as limit:
                if talk is None or not connection.talks:
                    return await connection.converse(prepared, seconds, SILENT, trace.principal)
                conversation = cleaner.conversation(talk, limit)
                return await connection.converse(prepared, seconds, conversation, trace.principal)
        except TimeoutError:
            message = f"No complete answer within {seconds:g} s. The request may have arrived."
            return Failure("upstream_timeout", message, prepared.tool.idempotent)

    async def _without(self, settlement: Settlement, known: tuple[str, ...]) -> Settlement:
        """Without the secrets that the call was sent with."""
        body = settlement.body
        if len(body) > _LARGE:
            loop = asyncio.get_running_loop()
            return replace(
                settlement, body=await loop.run_in_executor(_THREADS, self._scrubber.clean, body, known)
            )
        return replace(settlement, body=self._scrubber.clean(body, known))

    def bounded(self, trace: CallTrace, answer: Result | PlainValue) -> Settlement:
        """The answer as bytes, small enough. Secrets that it was sent with may be in it."""
        address = trace.address or trace.path
        try:
            value, envelope = (answer.value, 0) if isinstance(answer, PlainValue) else (answer.as_json(), 1)
            body = write_value(value, MAX_DEPTH + envelope)
        except JsonTooDeep:
            return outcome.failed(outcome.too_deep(address, sent=not isinstance(answer, PlainValue)))
        if len(body) > self.limits.result_bytes:
            return outcome.failed(outcome.too_large(address, len(body), self.limits.result_bytes))
        code = answer.code if isinstance(answer, Failure) else None
        return Settlement(body, code is None, code)
