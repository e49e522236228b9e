"""One inner call at a time, for tests: a workspace, an upstream, and what was reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integrations.base import JsonObject
from policies import Rule
from proxy.calls import CallContext, CallReport, Calls, CallSubject, LimitRefusal
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import MemoryState
from proxy.workspace import Generation
from tests.proxy.executions.world import ALICE, Shelf, connection, live_with, shelf, workspace

GET = "demo.org.main.things.get"
DELETE = "demo.org.main.things.delete"


class Desk:
    """One workspace, one upstream, and what was reported."""

    def __init__(
        self,
        upstream: Shelf | None = None,
        rules: Iterable[Rule] = (),
        default: str = "all",
        failure: JsonObject | None = None,
        **more: Any,
    ) -> None:
        self.upstream = upstream or shelf()
        one = connection("demo.org.main", None if failure else self.upstream, failure)
        self.live: Live = live_with(workspace([one], rules, 1, default))
        self.lease: Generation = self.live.current
        self.reports: list[CallReport] = []
        self.calls = Calls(self.live, MemoryState(), on_call=self.reports.append, **more)

    async def call(self, path: str, principal: Principal = ALICE, **args: Any) -> Any:
        return await self.calls.call(self.lease, principal, path, args, CallContext("exec_1", "s", 0))

    async def code(self, path: str, **args: Any) -> str | None:
        answer = await self.call(path, **args)
        return None if answer["ok"] else answer["error"]["code"]


class Turnstile:
    """A limiter that lets `room` calls through."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.seen: list[CallSubject] = []

    async def admit(self, subject: CallSubject) -> LimitRefusal | None:
        self.seen.append(subject)
        return None if len(self.seen) <= self.room else LimitRefusal("per-tool", 1500)
