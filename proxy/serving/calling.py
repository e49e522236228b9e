"""What the two tools do: run code, go on with it, and ask for decisions the way that fits the client.

Rules:
- Where a person decides (modes browser and native), nothing the model sends to `resume` is a decision. The same goes
  for an execution that was begun in such a mode, whatever the mode of the session that resumes it.
- A client in mode native that cannot show questions gets mode model, with a note in each result. Native mode is a
  convenience for people who sit at their client; who must not be bypassed is asked by mode browser or by a rule with
  `approver: human`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from proxy.executions import ExecutionResult, Observer
from proxy.serving import sdk, tools
from proxy.serving.asking import NO_WAYS, Ways, askable, ways_of
from proxy.serving.errors import RateLimited
from proxy.serving.gateway import Gateway
from proxy.serving.modes import Mode, choose
from proxy.serving.observer import Reports, Silence, reporting
from proxy.serving.pausing import Pauses
from proxy.serving.peer import Peer

Context = ServerRequestContext[Peer, Any]
JsonObject = dict[str, Any]
Page = Callable[[str, str | None], Awaitable[str | None]]
"""From an execution and its session to the page where a person decides, which is served from then on."""

SHA_META_KEY: Final = "executor/config-sha256"
FALLBACK: Final = (
    "Note: this client cannot show questions to its user (no elicitation capability), so decisions are asked for "
    "through `resume`."
)
PERSON_DECIDES: Final = (
    "A person decides about this, not the model: nothing was decided. Call resume with the executionId only; it "
    "waits for the decision."
)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a start fixes: our name and version as clients see them, the runtimes the configuration names, how often a
    wait for a person shows that it lives, and where pages are served when no HTTP listener is."""

    name: str = "executor"
    version: str = ""
    runtimes: tuple[str, ...] = ("quickjs",)
    sign_seconds: float = 10.0
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How decisions are asked for in one request. `ways` is empty unless the mode is native."""

    mode: Mode
    ways: Ways = NO_WAYS
    note: str | None = None


class Calling:
    """The tools, for any caller."""

    def __init__(self, gateway: Gateway, pauses: Pauses, options: ServerOptions) -> None:
        self._gateway = gateway
        self._pauses = pauses
        self._options = options

    def way(self, context: Context) -> Way:
        """Raises `Refusal` when what the client asked for cannot be granted."""
        peer = context.lifespan_context
        chosen = choose(self._gateway.elicitation(peer.principal), peer.wish)
        if chosen.mode != "native":
            return Way(chosen.mode, note=chosen.note)
        ways = ways_of(context.session.client_capabilities)
        if not ways or not (_is_modern(context) or context.session.can_send_request):
            return Way("model", note=f"{chosen.note}\n{FALLBACK}" if chosen.note else FALLBACK)
        return Way("native", ways, chosen.note)

    async def execute(self, context: Context, arguments: JsonObject) -> JsonObject:
        peer, way = context.lifespan_context, self.way(context)
        request = tools.read_execute(arguments, self._options.runtimes, peer.session_id)
        request = replace(request, mode=way.mode)
        async with self._observing(context) as observer:
            try:
                result = await self._gateway.execute(request, peer.principal, observer)
            except RateLimited as error:
                # The request itself was within its limit, so this is told where the model reads it.
                seconds = max(1, math.ceil(error.retry_after_seconds))
                return text_error(
                    f"rate_limited: the limit `{error.limit}` is used up. Try again in {seconds} s."
                )
            if way.mode == "native":
                # The executions only know that they could not ask; whether the client can is known here.
                return await self._natively(context, replace(result, note=None), way, observer)
        return await self._answer(context, result, way)

    async def resume(self, context: Context, arguments: JsonObject) -> JsonObject:
        asked, way = tools.read_resume(arguments), self.way(context)
        peer = context.lifespan_context
        async with self._observing(context) as observer:
            if asked.action is not None:
                result = await self._decided(asked, way, peer, observer)
            elif way.mode == "native":
                result = await self._pauses.standing(asked.execution_id, peer, observer)
                if result.waiting and not askable(result.interactions, way.ways):
                    result = await self._pauses.decided_elsewhere(asked.execution_id, peer, observer)
                return await self._natively(context, result, way, observer)
            else:
                result = await self._pauses.decided_elsewhere(asked.execution_id, peer, observer)
        return await self._answer(context, result, way)

    async def _decided(
        self, asked: tools.ResumeArguments, way: Way, peer: Peer, observer: Observer
    ) -> ExecutionResult:
        if way.mode == "model":
            view = await self._gateway.show(asked.execution_id, peer.principal)
            if view is None or view.mode == "model":
                return await self._gateway.resume(
                    asked.execution_id,
                    asked.action,
                    asked.content,
                    asked.interaction_id,
                    peer.principal,
                    observer=observer,
                )
        result = await self._pauses.standing(asked.execution_id, peer, observer)
        return replace(result, note=PERSON_DECIDES) if result.waiting else result

    async def retried(self, context: Context, state: str | None) -> JsonObject:
        """A 2026-07-28 request with the answers to what its first attempt asked."""
        if state is None:
            message = "inputResponses without the requestState that came with the questions: nothing was run."
            raise MCPError(types.INVALID_PARAMS, message)
        responses = (context.params or {}).get("inputResponses") or {}
        way = self.way(context)
        async with self._observing(context) as observer:
            result = await self._pauses.retried(state, responses, context.lifespan_context, observer)
            return await self._natively(context, result, way, observer)

    async def _natively(
        self, context: Context, result: ExecutionResult, way: Way, observer: Observer
    ) -> JsonObject:
        if _is_modern(context):
            asking = self._pauses.input_required(result, way.ways) if result.waiting else None
            if asking is not None:
                return asking | {"_meta": self._meta()}
        else:
            result = await self._pauses.asked(context, result, way.ways, observer)
        return await self._answer(context, result, way)

    @asynccontextmanager
    async def _observing(self, context: Context) -> AsyncIterator[Observer]:
        """Reports go to the client if it asked for progress or log messages."""
        reports = _reports(context)
        if reports is None:
            yield Silence()
            return
        async with reporting(reports, _notifier(context), self._options.sign_seconds):
            yield reports

    # ---- answers ------------------------------------------------------------------------------------------------
    async def _answer(self, context: Context, result: ExecutionResult, way: Way) -> JsonObject:
        peer = context.lifespan_context
        if way.mode == "native" and result.waiting:
            # What is left open is for a person elsewhere: the model is told to wait, not to decide.
            result = replace(result, status="user_approval_required")
        result = await self._placed(result)
        return {
            "content": with_lines(result.content(), self._remarks(result, peer, way)),
            "structuredContent": result.structured(),
            "isError": result.is_error,
            "_meta": self._meta(),
            "resultType": "complete",
        }

    def _meta(self) -> JsonObject:
        return {SHA_META_KEY: self._gateway.config_sha256()}

    async def _placed(self, result: ExecutionResult) -> ExecutionResult:
        """With the page where a person decides, where one has to and no HTTP listener is there anyway."""
        if self._options.page is None or not result.waiting:
            return result
        if result.status != "user_approval_required" and not _needs_another(result):
            return result
        url = await self._options.page(result.execution_id, result.session_id)
        return replace(result, approval_url=url)

    def _remarks(self, result: ExecutionResult, peer: Peer, way: Way) -> list[str]:
        lines = [way.note] if way.note is not None else []
        if result.status == "waiting_for_interaction" and _needs_another(result):
            lines.append(_where_another_decides(result))
        if peer.memory.revision is not None:
            changed = self._gateway.changes_since(peer.principal, peer.memory.revision)
            if changed:
                lines.append(" ".join(changed.split()))
        return lines


def _needs_another(result: ExecutionResult) -> bool:
    return any(one.approver == "human" for one in result.interactions)


def _where_another_decides(result: ExecutionResult) -> str:
    page = f" at {result.approval_url}" if result.approval_url else ""
    return (
        f"What needs another person is approved by them{page} or with `executor approvals`. To wait for that, call "
        f'resume with {{"executionId": "{result.execution_id}"}}.'
    )


def _is_modern(context: Context) -> bool:
    return context.protocol_version in sdk.MODERN_VERSIONS


def with_lines(content: list[JsonObject], lines: list[str]) -> list[JsonObject]:
    """The content blocks with these lines at the end of the result's text, which is the first text block."""
    if not lines:
        return content
    tail = "\n".join(lines)
    for index, block in enumerate(content):
        if block.get("type") == "text":
            return [*content[:index], {**block, "text": f"{block['text']}\n\n{tail}"}, *content[index + 1 :]]
    return [{"type": "text", "text": tail}, *content]


def text_error(message: str) -> JsonObject:
    return {"content": [{"type": "text", "text": message}], "isError": True, "resultType": "complete"}


def _reports(context: Context) -> Reports | None:
    """Where reports go, or None when this client asked for neither progress nor log messages."""
    meta = context.meta or {}
    token = sdk.progress_token(context.params)
    level = context.lifespan_context.memory.log_level

    def wants(name: str) -> bool:
        return sdk.wants_log(context.protocol_version, meta, level, name)

    if token is None and not wants("emergency"):
        return None
    return Reports(token, wants)


def _notifier(context: Context) -> Callable[[str, JsonObject], Any]:
    async def notify(method: str, params: JsonObject) -> None:
        await sdk.notify(context, method, params)

    return notify
