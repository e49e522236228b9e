"""One POST being answered: as JSON, unless something has to be said before the result is there; then as SSE.

The kernel's handlers see an `Exchange` only through `notify` and `ask`. It writes straight to the socket, so a client
that does not read slows down its own execution and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types import INTERNAL_ERROR

from proxy.serving.http.asgi import AsgiReceive, HttpReply, HttpRequest
from proxy.serving.http.errors import REQUEST_CANCELLED
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome, RequestId, event

PING = b": ping\n\n"
_WATCH_AFTER_SECONDS: Final = 0.02
SSE_HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


def accepts(request: HttpRequest, media_type: str) -> bool:
    """Whether the client takes this media type. No `Accept` header takes everything (RFC 9110 section 12.5.1)."""
    header = request.headers.get("accept", "*/*").lower()
    wanted = {part.split(";")[0].strip() for part in header.split(",")}
    return bool(wanted & {media_type, media_type.split("/")[0] + "/*", "*/*"})


async def _nothing() -> None:
    """No session is kept alive."""


@dataclass(frozen=True, slots=True)
class SessionChannel:
    """What a handshake session gives to its requests. `headers` go on the answer, the answers to a request's questions
    arrive in `questions`, `keep_alive` is called while the client is silent, and `withdraws` says whether a question
    that nobody waits for any more is taken back."""

    headers: Mapping[str, str] = field(default_factory=dict)
    questions: dict[RequestId, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    keep_alive: Callable[[], Awaitable[Any]] = _nothing
    withdraws: Callable[[], bool] = lambda: True


class Exchange:
    """A request in a `session` outlives its connection and ends by `notifications/cancelled`; one without (2026-07-28)
    ends when its client closes the stream."""

    def __init__(
        self,
        request: HttpRequest,
        receive: AsgiReceive,
        reply: HttpReply,
        *,
        ping_seconds: float,
        session: SessionChannel | None = None,
    ) -> None:
        self._receive = receive
        self._reply = reply
        self._ends_with_connection = session is None
        self._session = session or SessionChannel()
        self._ping_seconds = ping_seconds
        self._questions = self._session.questions
        self._own: set[RequestId] = set()
        self._streams = accepts(request, "text/event-stream")
        self._writing = anyio.Lock()
        self.scope = anyio.CancelScope()

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Send one notification to this client. Dropped when the client takes no stream or has left."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = dict(params)
        await self._stream(event(message))

    async def ask(self, identifier: RequestId, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request to this client and wait for its result, which comes with another POST. Raises `MCPError` for
        an error, and when the client takes no stream or has left: then no answer can be expected here."""
        if not self._streams or self._reply.gone:
            raise NoBackChannelError(method)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._questions[identifier] = answer
        self._own.add(identifier)
        try:
            await self._stream(
                event({"jsonrpc": "2.0", "id": identifier, "method": method, "params": dict(params)})
            )
            return _result_of(await answer)
        except anyio.get_cancelled_exc_class():
            if self._session.withdraws():
                with anyio.CancelScope(shield=True):
                    params = {"requestId": identifier, "reason": "The answer is no longer needed."}
                    await self.notify("notifications/cancelled", params)
            raise
        finally:
            self._own.discard(identifier)
            self._questions.pop(identifier, None)

    async def answer(
        self,
        call: JsonRpcMessage,
        handler: Callable[[], Awaitable[JsonRpcOutcome]],
        status: Callable[[int], int],
    ) -> None:
        """Run `handler` (which does not raise) and write what it came to. `status` maps an error code to HTTP."""
        assert call.id is not None
        outcome = await self._watched(handler)
        if not self._reply.started:
            code = 200 if outcome.result is not None else status(outcome.code)
            await self._reply.json(code, outcome.encode(call.id), self._session.headers)
            return
        data = b"event: message\ndata: " + outcome.encode(call.id) + b"\n\n"
        await self._reply.body(data)

    async def _watched(self, handler: Callable[[], Awaitable[JsonRpcOutcome]]) -> JsonRpcOutcome:
        outcome = JsonRpcOutcome(None, REQUEST_CANCELLED, "Request cancelled")
        watch = _Watch(self._watch, self.scope)
        try:
            with self.scope:
                outcome = await handler()
        finally:
            await watch.stop()
        return outcome

    async def _watch(self) -> None:
        """Keep a silent stream alive, and notice a client that leaves."""
        while True:
            with anyio.move_on_after(self._ping_seconds) as waiting:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
            if waiting.cancelled_caught:
                await self._stream(PING)
                await self._session.keep_alive()
        self._reply.gone = True
        for identifier in self._own:
            if not self._questions[identifier].done():
                self._questions[identifier].set_exception(NoBackChannelError("elicitation/create"))
        if self._ends_with_connection:
            self.scope.cancel()

    async def _stream(self, data: bytes) -> None:
        if not self._streams or self._reply.gone:
            return
        async with self._writing:
            if not self._reply.started:
                await self._reply.start(200, {**SSE_HEADERS, **self._session.headers})
            await self._reply.body(data, more=True)


class _Watch:
    """Runs `work` beside a handler that takes longer than a moment, which most do not. When it fails, what runs under
    `scope` is cancelled, and `stop` raises the error."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], scope: anyio.CancelScope) -> None:
        self._work = work
        self._scope = scope
        self._task: asyncio.Task[None] | None = None
        self._due = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(), name="exchange-watch")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._scope.cancel()

    async def stop(self) -> None:
        self._due.cancel()
        task = self._task
        if task is None:
            return
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def _result_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a JSON-RPC response. Raises `MCPError` for an error, or what is neither."""
    result = raw.get("result")
    if isinstance(result, dict):
        return result
    raise MCPError(INTERNAL_ERROR, "The client did not answer the question.")
