"""One POST being answered: as JSON, unless something has to be said before the result is there; then as SSE.

The kernel's handlers see an `Exchange` only through `notify`. It writes straight to the socket, so a client
that does not read slows down its own execution and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from proxy.serving.errors import REQUEST_CANCELLED
from proxy.serving.http import Receive, Reply, Request
from proxy.serving.messages import Incoming, Outcome, event

PING = b": ping\n\n"
SSE_HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


def accepts(request: Request, media_type: str) -> bool:
    """Whether the client takes this media type. No `Accept` header takes everything (RFC 9110 section
    12.5.1)."""
    header = request.headers.get("accept", "*/*").lower()
    wanted = {part.split(";")[0].strip() for part in header.split(",")}
    return bool(wanted & {media_type, media_type.split("/")[0] + "/*", "*/*"})


class Exchange:
    """`headers` go on the answer (the session id); `patient` says that the request outlives its connection,
    as handshake-era requests do: they end by `notifications/cancelled`, 2026-07-28 ones by closing the
    stream."""

    def __init__(
        self,
        request: Request,
        receive: Receive,
        reply: Reply,
        *,
        patient: bool,
        ping_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._receive = receive
        self._reply = reply
        self._patient = patient
        self._ping_seconds = ping_seconds
        self.headers = dict(headers or {})
        self._streams = accepts(request, "text/event-stream")
        self._writing = anyio.Lock()
        self.scope = anyio.CancelScope()

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Send one notification to this client. Dropped when the client takes no stream or has left."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = dict(params)
        await self._stream(event(message))

    async def answer(
        self, call: Incoming, handler: Callable[[], Awaitable[Outcome]], status: Callable[[int], int]
    ) -> None:
        """Run `handler` (which does not raise) and write what it came to. `status` maps an error code to
        HTTP."""
        assert call.id is not None
        outcome = await self._watched(handler)
        if not self._reply.started:
            code = 200 if outcome.result is not None else status(outcome.code)
            await self._reply.json(code, outcome.encode(call.id), self.headers)
            return
        data = b"event: message\ndata: " + outcome.encode(call.id) + b"\n\n"
        await self._reply.body(data)

    async def _watched(self, handler: Callable[[], Awaitable[Outcome]]) -> Outcome:
        outcome = Outcome(None, REQUEST_CANCELLED, "Request cancelled")
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            with self.scope:
                outcome = await handler()
            group.cancel_scope.cancel()
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
        self._reply.gone = True
        if not self._patient:
            self.scope.cancel()

    async def _stream(self, data: bytes) -> None:
        if not self._streams or self._reply.gone:
            return
        async with self._writing:
            if not self._reply.started:
                await self._reply.start(200, {**SSE_HEADERS, **self.headers})
            await self._reply.body(data, more=True)
