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
from dataclasses import dataclass
from typing import Any, Final

import anyio
from mcp.shared.exceptions import MCPError

from integrations.base import JsonObject
from proxy.executions import ExecutionResult, Interaction, InteractionDecision, Observer
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.mcp import debug, sdk
from proxy.serving.mcp.client import ClientContext, McpContext
from proxy.serving.mcp.elicitation import (
    ElicitationCapabilities,
    RequestState,
    Seals,
    SentElicitation,
    askable,
    elicitation,
)

# After the last question has expired, the wait goes on for a while to get the result of that.
_SLACK_SECONDS: Final = 30.0
NOT_SHOWN: Final = (
    "The client did not show the question to its user. The execution stays paused: "
    "a person can decide elsewhere."
)
DRAINING: Final = "This server is shutting down. The execution stays paused; ask again in a few seconds."
_MOOT: Final = frozenset({"already_decided", "expired", "not_found", "forbidden"})


@dataclass(frozen=True, slots=True)
class Pauses:
    """What the tools do about paused executions. `wait_seconds` is how long one `resume` waits for a person."""

    gateway: Gateway
    seals: Seals
    drain: Drain
    wait_seconds: float = 240.0

    async def wait_for_decision(
        self, execution_id: str, client: ClientContext, observer: Observer, seconds: float | None = None
    ) -> ExecutionResult:
        """The next result once somebody has decided, or the pause again after a while."""
        waited = self.wait_seconds if seconds is None else seconds
        results: list[ExecutionResult] = []
        with self.drain.interruptible():
            results.append(await self.gateway.wait(execution_id, client.principal, waited, observer))
        if results:
            return results[0]
        result = await self.current_result(execution_id, client, observer)
        return result.with_note(DRAINING) if result.waiting else result

    async def current_result(
        self, execution_id: str, client: ClientContext, observer: Observer
    ) -> ExecutionResult:
        """The result as it is now. Decides nothing, but carries out what was decided before."""
        return await self.gateway.resume(execution_id, None, None, None, client.principal, observer=observer)

    # ---- handshake era ------------------------------------------------------------------------------------------
    async def ask_in_turn(
        self,
        context: McpContext,
        result: ExecutionResult,
        capabilities: ElicitationCapabilities,
        observer: Observer,
    ) -> ExecutionResult:
        """Ask one question after the other until none is left that this client can be asked."""
        done: set[str] = set()
        while result.waiting and result.note is None:
            question = next(
                (one for one in askable(result.interactions, capabilities) if one.id not in done), None
            )
            if question is None:
                break
            done.add(question.id)
            result = await self._ask_one(context, result, question, capabilities, observer)
        return result

    async def _ask_one(
        self,
        context: McpContext,
        result: ExecutionResult,
        question: Interaction,
        capabilities: ElicitationCapabilities,
        observer: Observer,
    ) -> ExecutionResult:
        """The next result, whether this client answers or somebody elsewhere decides. Its note says why nobody could be
        asked."""
        client, after = context.lifespan_context, result
        notes: list[str] = []
        seconds = max(one.expires_at_ms for one in result.interactions) / 1000 - time.time() + _SLACK_SECONDS
        with _first_error():
            async with anyio.create_task_group() as group:

                async def ask() -> None:
                    note = await self._ask(context, result.execution_id, question, capabilities)
                    if note is not None:
                        notes.append(note)
                        group.cancel_scope.cancel()

                group.start_soon(ask)
                after = await self.wait_for_decision(
                    result.execution_id, client, observer, max(seconds, _SLACK_SECONDS)
                )
                group.cancel_scope.cancel()
        return after.with_note(notes[0]) if notes else after

    async def _ask(
        self,
        context: McpContext,
        execution_id: str,
        question: Interaction,
        capabilities: ElicitationCapabilities,
    ) -> str | None:
        """Ask, and record the answer. Returns why that did not work, or None."""
        client = context.lifespan_context
        sent = SentElicitation.of(execution_id, question, capabilities, client.session_id)
        try:
            params = elicitation(question, capabilities, legacy=True)
            debug.asked(execution_id, (question,), client.principal, "elicitation/create")
            answer = await sdk.ask(context, "elicitation/create", params, sent.sealed(self.seals))
        except MCPError as error:
            debug.answered(execution_id, question.id, error, client.principal, "elicitation/create")
            return NOT_SHOWN
        debug.answered(execution_id, question.id, answer, client.principal, "elicitation/create")
        decision = sent.decision(answer)
        if decision is None:
            return NOT_SHOWN
        return await self._decide(execution_id, {question.id: decision}, client)

    async def _decide(
        self, execution_id: str, decisions: Mapping[str, InteractionDecision], client: ClientContext
    ) -> str | None:
        """Why an answer was refused; None when none was, or when the question is over anyway."""
        outcome = await self.gateway.decide(execution_id, decisions, client.principal, "native")
        refusal = outcome.first_refusal
        return None if refusal is None or refusal in _MOOT else outcome.message()

    async def record_answer(self, raw: JsonObject, client: ClientContext) -> bool:
        """Record an answer that no request of this process waits for. False when it answers no question of ours."""
        sent = SentElicitation.opened(self.seals, raw.get("id"))
        if sent is None or sent.session_id != client.session_id:
            return False
        debug.answered(
            sent.execution_id, sent.question_id, raw.get("result"), client.principal, "elicitation/create"
        )
        decision = sent.decision(raw.get("result"))
        if decision is None:
            return False
        await self._decide(sent.execution_id, {sent.question_id: decision}, client)
        return True

    # ---- 2026-07-28 ---------------------------------------------------------------------------------------------
    def input_required(
        self, result: ExecutionResult, capabilities: ElicitationCapabilities
    ) -> JsonObject | None:
        """The interim result that asks every question this client can be asked; None when there is none."""
        questions = askable(result.interactions, capabilities)
        if not questions:
            return None
        sent = tuple(SentElicitation.of(result.execution_id, one, capabilities, None) for one in questions)
        return {
            "resultType": "input_required",
            "inputRequests": {
                one.id: {
                    "method": "elicitation/create",
                    "params": elicitation(one, capabilities, legacy=False),
                }
                for one in questions
            },
            "requestState": RequestState(result.execution_id, sent).text(),
        }

    async def retried(
        self, state: str, responses: Mapping[str, Any], client: ClientContext, observer: Observer
    ) -> ExecutionResult:
        """Record the answers of a retry, and go on with its execution."""
        asked = RequestState.read(state)
        for one in asked.sent:
            if one.question_id in responses:
                answer = responses[one.question_id]
                debug.answered(
                    asked.execution_id, one.question_id, answer, client.principal, "input_required"
                )
        decisions = asked.decisions(responses)
        if decisions:
            # An answer that does not fit leaves its question open, and open questions are asked again.
            await self._decide(asked.execution_id, decisions, client)
        return await self.current_result(asked.execution_id, client, observer)


@contextmanager
def _first_error() -> Iterator[None]:
    """Unwrap the group that a task group raises: callers tell errors apart by their type."""
    try:
        yield
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
