"""From a paused execution to its next result: ask the client's user, or wait for whoever decides elsewhere.

Rules:
- A wait ends when somebody decided anywhere, when the questions expire, when the server drains (the pause stands), or
  when the client cancels it.
- Handshake era: one question at a time as `elicitation/create` on the stream of the request. An answer that arrives on
  another replica, or after the client lost its stream, is recorded there by its sealed id; whoever waits goes on.
- 2026-07-28: all questions at once as an input-required result. Its state names the execution, so that the retry goes
  on with it on any replica, and never runs the code again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from proxy.executions import Decision, ExecutionResult, Interaction, Observer
from proxy.serving import sdk
from proxy.serving.asking import Asked, Round, Ways, askable, elicitation
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.peer import Peer
from proxy.serving.sealing import Seals

Context = ServerRequestContext[Peer, Any]
JsonObject = dict[str, Any]

# After the last question has expired the store still has to be asked what became of it.
_SLACK_SECONDS: Final = 30.0
NOT_SHOWN: Final = (
    "The client did not show the question to its user. The execution stays paused: "
    "a person can decide elsewhere."
)
DRAINING: Final = "This server is shutting down. The execution stays paused; ask again in a few seconds."
_MOOT: Final = frozenset({"already_decided", "expired", "not_found", "forbidden"})


@dataclass(frozen=True, slots=True)
class Pauses:
    """What handlers do about pauses. `wait_seconds` is how long one `resume` waits for a person."""

    gateway: Gateway
    seals: Seals
    drain: Drain
    wait_seconds: float = 240.0

    async def decided_elsewhere(
        self, execution_id: str, peer: Peer, observer: Observer, seconds: float | None = None
    ) -> ExecutionResult:
        """The next result once somebody has decided, or the pause again after a while."""
        waited = self.wait_seconds if seconds is None else seconds
        results: list[ExecutionResult] = []
        with self.drain.cutting():
            results.append(await self.gateway.wait(execution_id, peer.principal, waited, observer))
        if results:
            return results[0]
        result = await self.standing(execution_id, peer, observer)
        return replace(result, note=DRAINING) if result.waiting else result

    async def standing(self, execution_id: str, peer: Peer, observer: Observer) -> ExecutionResult:
        """What can be said now. Nothing is decided; what was decided before is carried out."""
        return await self.gateway.resume(execution_id, None, None, None, peer.principal, observer=observer)

    # ---- handshake era ------------------------------------------------------------------------------------------
    async def asked(
        self, context: Context, result: ExecutionResult, ways: Ways, observer: Observer
    ) -> ExecutionResult:
        """Ask one question after the other until none is left that this client can be asked."""
        asked: set[str] = set()
        while result.waiting and result.note is None:
            question = next((one for one in askable(result.interactions, ways) if one.id not in asked), None)
            if question is None:
                break
            asked.add(question.id)
            result = await self._after(context, result, question, ways, observer)
        return result

    async def _after(
        self,
        context: Context,
        result: ExecutionResult,
        question: Interaction,
        ways: Ways,
        observer: Observer,
    ) -> ExecutionResult:
        """The next result, whoever answers. A note on it says that nobody could be asked."""
        peer, after = context.lifespan_context, result
        notes: list[str] = []
        seconds = max(one.expires_at for one in result.interactions) / 1000 - time.time() + _SLACK_SECONDS
        with _first_error():
            async with anyio.create_task_group() as group:

                async def ask() -> None:
                    note = await self._ask(context, result.execution_id, question, ways)
                    if note is not None:
                        notes.append(note)
                        group.cancel_scope.cancel()

                group.start_soon(ask)
                after = await self.decided_elsewhere(
                    result.execution_id, peer, observer, max(seconds, _SLACK_SECONDS)
                )
                group.cancel_scope.cancel()
        return replace(after, note=notes[0]) if notes else after

    async def _ask(
        self, context: Context, execution_id: str, question: Interaction, ways: Ways
    ) -> str | None:
        """Put the question and record the answer. The text says why that did not work; None: somebody decided."""
        peer = context.lifespan_context
        asked = Asked.of(execution_id, question, ways, peer.session_id)
        try:
            params = elicitation(question, ways, legacy=True)
            answer = await sdk.ask(context, "elicitation/create", params, asked.sealed(self.seals))
        except MCPError:
            return NOT_SHOWN
        decision = asked.decision(answer)
        if decision is None:
            return NOT_SHOWN
        return await self._decide(execution_id, {question.id: decision}, peer)

    async def _decide(self, execution_id: str, decisions: Mapping[str, Decision], peer: Peer) -> str | None:
        """What was wrong with the answers; None when there is nothing to tell."""
        outcome = await self.gateway.decide(execution_id, decisions, peer.principal, "native")
        refusal = outcome.first_refusal
        return None if refusal is None or refusal in _MOOT else outcome.message()

    async def take(self, raw: JsonObject, peer: Peer) -> bool:
        """Record an answer that nobody in this process waits for. False when it is no answer to our question."""
        asked = Asked.opened(self.seals, raw.get("id"))
        if asked is None or asked.session_id != peer.session_id:
            return False
        decision = asked.decision(raw.get("result"))
        if decision is None:
            return False
        await self._decide(asked.execution_id, {asked.question_id: decision}, peer)
        return True

    # ---- 2026-07-28 ---------------------------------------------------------------------------------------------
    def input_required(self, result: ExecutionResult, ways: Ways) -> JsonObject | None:
        """The interim result that asks all questions; None when this client can be asked none of them."""
        questions = askable(result.interactions, ways)
        if not questions:
            return None
        asked = tuple(Asked.of(result.execution_id, one, ways, None) for one in questions)
        return {
            "resultType": "input_required",
            "inputRequests": {
                one.id: {"method": "elicitation/create", "params": elicitation(one, ways, legacy=False)}
                for one in questions
            },
            "requestState": Round(result.execution_id, asked).text(),
        }

    async def retried(
        self, state: str, responses: Mapping[str, Any], peer: Peer, observer: Observer
    ) -> ExecutionResult:
        """Record the answers of a retry, and go on with its execution."""
        put = Round.read(state)
        decisions = put.decisions(responses)
        if decisions:
            # An answer that does not fit leaves its question open, and open questions are asked again.
            await self._decide(put.execution_id, decisions, peer)
        return await self.standing(put.execution_id, peer, observer)


@contextmanager
def _first_error() -> Iterator[None]:
    """A task group wraps what went wrong; callers tell errors apart by their type."""
    try:
        yield
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
