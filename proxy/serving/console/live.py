"""One stream for all pages: it says which topics changed, never what there is to see. The page fetches itself again.

Rules
- A topic is a short digest of what the person may see of it; whoever reads the stream learns nothing that its pages do
  not show.
- The credential is checked again every `CHECK_SECONDS`: a revoked key, or one whose token has ended, ends the stream.
- Few streams an account, none for long, none while the server drains: a browser opens the next one by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

from quart import Response

from integrations.json_text import write_json
from proxy.serving.console.frame import Visit
from proxy.serving.console.overview import connection_rows
from proxy.serving.drain import Drain
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.errors import RateLimited
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.presenting import list_digest
from proxy.serving.pages.rendering import HEADERS, plain
from proxy.serving.pages.sign_in import PageAuth, Reader, SignInNeeded
from proxy.state import StateError

LOOK_SECONDS: Final = 3.0
CHECK_SECONDS: Final = 20.0
STREAM_SECONDS: Final = 600.0
MOST_STREAMS: Final = 8
Topics = dict[str, str]


class LiveStreams:
    """Serves the streams of one process. `look_seconds` is how often each looks, `check_seconds` how often its sign-in
    is checked."""

    def __init__(
        self,
        auth: PageAuth,
        drain: Drain,
        look_seconds: float = LOOK_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._auth = auth
        self._drain = drain
        self._look_seconds = look_seconds
        self._check_seconds = check_seconds
        self._open: Counter[str] = Counter()

    async def open(self, visit: Visit) -> Response:
        account = f"{visit.principal.workspace_id}/{visit.principal.account_id}"
        if self._open[account] >= MOST_STREAMS:
            return plain(429, "", {"retry-after": "30"})
        headers = {**HEADERS, "x-accel-buffering": "no"}
        made = Response(self._events(visit, account), 200, headers, content_type="text/event-stream")
        made.timeout = None
        return made

    async def _events(self, visit: Visit, account: str) -> AsyncIterator[bytes]:
        self._open[account] += 1
        loop = asyncio.get_running_loop()
        until, check_at = loop.time() + STREAM_SECONDS, loop.time() + self._check_seconds
        known: Topics | None = None
        try:
            yield b"retry: 3000\n\n"
            while loop.time() < until and not self._drain.active:
                if loop.time() >= check_at:
                    check_at = loop.time() + self._check_seconds
                    if not await self._is_same(visit.request, visit.reader):
                        return
                now = await topics(visit)
                yield b": \n\n" if now is None or now == known else _event(now)
                known = now or known
                with self._drain.interruptible():
                    await asyncio.sleep(self._look_seconds)
        finally:
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]

    async def _is_same(self, request: HttpRequest, reader: Reader) -> bool:
        """Whether the sign-in still stands for the same person with the same rights."""
        try:
            now = await self._auth.reader(request)
        except (SignInNeeded, PageProblem, RateLimited):
            return False
        return (now.principal, now.operator) == (reader.principal, reader.operator)


async def topics(visit: Visit) -> Topics | None:
    """The topics as this person sees them now; None while the store does not answer."""
    gateway, principal = visit.gateway, visit.principal
    try:
        pending = await gateway.pending(principal)
        executions = await gateway.list(principal, limit=20)
        connections = [[one["connection"], one["status"]] for one in await connection_rows(visit)]
    except StateError:
        return None
    everything = visit.is_operator or gateway.is_approver(principal)
    seen = gateway.history.executions.latest(principal, everything=everything)
    found: dict[str, Any] = {
        "approvals": list_digest(pending),
        "executions": [[[one.id, one.status] for one in executions.items], seen],
        "connections": connections,
        "config": gateway.config_sha256(),
    }
    if visit.is_operator:
        status = gateway.status()
        config, hour = status["config"], status["last_hour"]
        found["config"] = [config, [[one["id"], one["sha256"]] for one in status["replicas"]]]
        found["activity"] = [hour["executions"], hour["calls"], hour["limits"]]
    return {name: _digest(value) for name, value in found.items()}


def _digest(value: Any) -> str:
    return hashlib.sha256(write_json(value)).hexdigest()[:12]


def _event(now: Topics) -> bytes:
    return b"data: " + write_json(now) + b"\n\n"
