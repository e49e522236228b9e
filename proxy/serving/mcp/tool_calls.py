"""What the two tools do: run code, go on with it, and ask for decisions the way that fits the client.

Rules:
- Where a person decides (modes browser and native), nothing the model sends to `resume` is a decision. The same goes
  for an execution that was begun in such a mode, whatever the mode of the session that resumes it.
- A client in mode native that cannot show questions gets mode browser, and is told so once in its session: a person
  was to decide, and what a client cannot do never makes the model one. Native mode is still a convenience for people
  who sit at their client; who must not be bypassed is asked by mode browser or by a rule with `approver: human`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from integrations.base import JsonObject
from integrations.conversation import ElicitAction
from proxy.config import ElicitationMode
from proxy.executions import SILENT, ExecutionRequest, ExecutionResult, ExecutionView, Observer
from proxy.executions.interactions import overruled
from proxy.serving.gateway import Gateway
from proxy.serving.http.errors import RateLimited
from proxy.serving.mcp import debug, sdk, tools
from proxy.serving.mcp.client import ClientContext, McpContext
from proxy.serving.mcp.elicitation import NO_CAPABILITIES, ElicitationCapabilities, askable, capabilities_of
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.progress import Reports, reporting
from proxy.serving.modes import choose

ApprovalPageUrl = Callable[[str, str | None], Awaitable[str | None]]
"""From an execution and its session to the page where a person decides, which is served from then on."""

SHA_META_KEY: Final = "executor/config-sha256"
FALLBACK: Final = (
    "Note: this client cannot show questions to its user (no elicitation capability), so a person decides on "
    "the approval page."
)
PERSON_DECIDES: Final = (
    "A person decides about this, not the model: nothing was decided. Call resume with the executionId only; it "
    "waits for the decision."
)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a start fixes: our name and version as clients see them, the runtimes of the config, how often a wait for a
    person reports progress so that clients do not give up, and the approval page of a server without HTTP listener."""

    name: str = "executor"
    version: str = ""
    runtimes: tuple[str, ...] = ("quickjs",)
    keepalive_seconds: float = 10.0
    page: ApprovalPageUrl | None = None


@dataclass(frozen=True, slots=True)
class ElicitationPath:
    """How decisions are asked for in one request. `capabilities` is empty unless the mode is native."""

    mode: ElicitationMode
    capabilities: ElicitationCapabilities = NO_CAPABILITIES
    notes: tuple[str, ...] = ()


class ToolCalls:
    """The two tools, for any caller."""

    def __init__(self, gateway: Gateway, pauses: Pauses, options: ServerOptions) -> None:
        self._gateway = gateway
        self._pauses = pauses
        self._options = options

    def elicitation_path(self, context: McpContext) -> ElicitationPath:
        """Raises `RequestRefusal` when what the client asked for cannot be granted."""
        path = self._path_without_client(context.lifespan_context)
        if path.mode != "native":
            return path
        capabilities = capabilities_of(context.session.client_capabilities)
        if not capabilities or not (_is_modern(context) or context.session.can_send_request):
            return ElicitationPath("browser", notes=(*path.notes, FALLBACK))
        return replace(path, capabilities=capabilities)

    def _path_without_client(self, client: ClientContext) -> ElicitationPath:
        """What the config and the client's wish come to, before it is known what the client can do."""
        chosen = choose(self._gateway.elicitation(client.principal), client.requested_mode)
        return ElicitationPath(chosen.mode, notes=(chosen.note,) if chosen.note else ())

    def asks_nobody(self, client: ClientContext) -> bool:
        """Whether no question goes through this client. Raises like `elicitation_path`."""
        return self._path_without_client(client).mode != "native"

    async def execute(self, context: McpContext, arguments: JsonObject) -> JsonObject:
        client, path = context.lifespan_context, self.elicitation_path(context)
        request = self._read(arguments, client, path)
        async with self._observing(context) as observer:
            try:
                result = await self._gateway.execute(request, client.principal, observer)
            except RateLimited as error:
                return self._limited(error)
            if path.mode == "native":
                # The note of a pause says that executions cannot ask the client; that is done here.
                result = replace(result, note=None) if result.waiting else result
                return await self._ask_natively(context, result, path, observer)
        return await self._answer(client, result, path)

    async def execute_plainly(self, client: ClientContext, arguments: JsonObject) -> JsonObject:
        """The same for a client that `asks_nobody` and wants no reports."""
        path = self._path_without_client(client)
        request = self._read(arguments, client, path)
        try:
            result = await self._gateway.execute(request, client.principal, SILENT)
        except RateLimited as error:
            return self._limited(error)
        return await self._answer(client, result, path)

    def _read(self, arguments: JsonObject, client: ClientContext, path: ElicitationPath) -> ExecutionRequest:
        request = tools.read_execute(arguments, self._options.runtimes, client.session_id)
        return replace(request, mode=path.mode)

    def _limited(self, error: RateLimited) -> JsonObject:
        """The request itself was within its limit, so this is told where the model reads it."""
        return text_error(f"rate_limited: {error.sentence('the limit')}") | {"_meta": self._meta()}

    async def resume(self, context: McpContext, arguments: JsonObject) -> JsonObject:
        wanted, path = tools.read_resume(arguments), self.elicitation_path(context)
        client = context.lifespan_context
        if wanted.action is not None:
            said = {"action": wanted.action, "content": wanted.content}
            debug.answered(wanted.execution_id, wanted.interaction_id, said, client.principal, "resume")
        async with self._observing(context) as observer:
            if wanted.action is not None:
                result = await self._decide(wanted, path, client, observer)
            elif path.mode == "native":
                result = await self._pauses.current_result(wanted.execution_id, client, observer)
                if result.waiting and not askable(result.interactions, path.capabilities):
                    result = await self._pauses.wait_for_decision(wanted.execution_id, client, observer)
                return await self._ask_natively(context, result, path, observer)
            else:
                result = await self._pauses.wait_for_decision(wanted.execution_id, client, observer)
        return await self._answer(context.lifespan_context, result, path)

    async def _decide(
        self, wanted: tools.ResumeArguments, path: ElicitationPath, client: ClientContext, observer: Observer
    ) -> ExecutionResult:
        view = await self._gateway.show(wanted.execution_id, client.principal)
        if path.mode == "model":
            if view is None or view.mode == "model":
                return await self._gateway.resume(
                    wanted.execution_id,
                    wanted.action,
                    wanted.content,
                    wanted.interaction_id,
                    client.principal,
                    observer=observer,
                )
        result = await self._pauses.current_result(wanted.execution_id, client, observer)
        if result.waiting:
            return result.with_note(PERSON_DECIDES)
        told = overruled(_said_by_people(view), wanted.action or "") if view is not None else None
        return result.with_note(told) if told is not None else result

    async def retried(self, context: McpContext, state: str | None) -> JsonObject:
        """A 2026-07-28 request with the answers to what its first attempt asked."""
        if state is None:
            message = "inputResponses without the requestState that came with the questions: nothing was run."
            raise MCPError(types.INVALID_PARAMS, message)
        responses = (context.params or {}).get("inputResponses") or {}
        path = self.elicitation_path(context)
        async with self._observing(context) as observer:
            result = await self._pauses.retried(state, responses, context.lifespan_context, observer)
            return await self._ask_natively(context, result, path, observer)

    async def _ask_natively(
        self, context: McpContext, result: ExecutionResult, path: ElicitationPath, observer: Observer
    ) -> JsonObject:
        if _is_modern(context):
            asking = self._pauses.input_required(result, path.capabilities) if result.waiting else None
            if asking is not None:
                asked = askable(result.interactions, path.capabilities)
                principal = context.lifespan_context.principal
                debug.asked(result.execution_id, asked, principal, "input_required")
                return asking | {"_meta": self._meta()}
        else:
            result = await self._pauses.ask_in_turn(context, result, path.capabilities, observer)
        return await self._answer(context.lifespan_context, result, path)

    @asynccontextmanager
    async def _observing(self, context: McpContext) -> AsyncIterator[Observer]:
        """Reports go to the client if it asked for progress or log messages."""
        reports = _reports(context)
        if reports is None:
            yield SILENT
            return
        async with reporting(reports, partial(sdk.notify, context), self._options.keepalive_seconds):
            yield reports

    # ---- answers ------------------------------------------------------------------------------------------------
    async def _answer(
        self, client: ClientContext, result: ExecutionResult, path: ElicitationPath
    ) -> JsonObject:
        if result.waiting:
            debug.asked(
                result.execution_id, result.interactions, client.principal, f"result, mode {path.mode}"
            )
        if path.mode == "native" and result.waiting:
            # What is still open is decided by a person elsewhere: the model must wait, not decide.
            result = replace(result, status="user_approval_required")
        result = await self._with_page(result)
        return {
            "content": [
                *with_lines(result.content(), _unsaid(path.notes, client)),
                *self._changes(client),
            ],
            "structuredContent": result.structured(),
            "isError": result.is_error,
            "_meta": self._meta(),
            "resultType": "complete",
        }

    def _meta(self) -> JsonObject:
        return {SHA_META_KEY: self._gateway.config_sha256()}

    async def _with_page(self, result: ExecutionResult) -> ExecutionResult:
        """With the URL where a person decides, if a person has to and no HTTP listener gave one already."""
        if self._options.page is None or not result.waiting:
            return result
        if result.status != "user_approval_required" and not _needs_another_person(result):
            return result
        url = await self._options.page(result.execution_id, result.session_id)
        return replace(result, approval_url=url)

    def _changes(self, client: ClientContext) -> list[JsonObject]:
        """A block of its own for what changed since this client last listed tools, or was last told."""
        if client.state.revision is None:
            return []
        changed = self._gateway.changes_since(client.principal, client.state.revision)
        if changed is None:
            return []
        text, client.state.revision = changed
        return [{"type": "text", "text": " ".join(text.split())}]


def _unsaid(notes: Sequence[str], client: ClientContext) -> list[str]:
    """Notes about the client are told once in its session."""
    fresh = [note for note in notes if note not in client.state.notes]
    client.state.notes.update(fresh)
    return fresh


def _needs_another_person(result: ExecutionResult) -> bool:
    return any(one.approver == "human" for one in result.interactions)


def _said_by_people(view: ExecutionView) -> list[ElicitAction]:
    """What people decided about the questions that wait, or, when it is over, about all there were."""
    asked = {one.id for one in view.interactions} or view.by_person
    return [view.decided[one] for one in view.by_person & asked]


def _is_modern(context: McpContext) -> bool:
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


def _reports(context: McpContext) -> Reports | None:
    """Where reports go, or None when this client asked for neither progress nor log messages."""
    meta = context.meta or {}
    token = sdk.progress_token(context.params)
    level = context.lifespan_context.state.log_level

    def wants(name: str) -> bool:
        return sdk.wants_log(context.protocol_version, meta, level, name)

    if token is None and not wants("emergency"):
        return None
    return Reports(token, wants)
