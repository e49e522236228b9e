"""Inner calls of one run: sent, followed, and told of when they end or ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import orjson

from integrations.base import JsonObject
from integrations.conversation import ElicitationRequest, InputNeeded
from proxy.calls import Calls, Settlement, Talk
from proxy.executions import inputs
from proxy.executions.entries import Entries
from proxy.executions.job import Job
from proxy.executions.judging import Judging
from proxy.executions.parking import Line, Parking
from proxy.executions.protocol import Asked, Event, Settled
from proxy.executions.questions import new_id
from proxy.sandbox import ToolCall


class Calling:
    """What becomes of a call goes to `tell`, which never blocks. Tasks belong to the run; calls that may ask belong to
    `parking`, because they outlive a run that pauses.
    """

    def __init__(
        self,
        job: Job,
        calls: Calls,
        parking: Parking,
        judging: Judging,
        entries: Entries,
        clock: Callable[[], float],
        tell: Callable[[Event], None],
    ) -> None:
        self._job = job
        self._calls = calls
        self._parking = parking
        self._judging = judging
        self._entries = entries
        self._clock = clock
        self._tell = tell

    async def send(self, call: ToolCall) -> None:
        """Send a call that was judged to be sendable."""
        self._entries.begin(call.seq, self._clock())
        self._job.observer.call_started(call.seq, call.path)
        ready = self._judging.sendable(call.seq)
        if ready.connection is None or not ready.connection.talks:
            self._heard(call, await self._calls.send(ready), {})
            return
        job = self._job
        step = partial(job.observer.call_progress, call.seq, call.path)
        talk = Talk(step, job.execution_id, None, self._judging.reply(call.seq))
        line = self._parking.begin(job.execution_id, call.seq, talk, partial(self._calls.send, ready))
        line.about = self._judging.about(call.seq)
        await self._follow(call, line)

    async def rejoin(self, call: ToolCall) -> None:
        """Go on with a call that was under way all the time."""
        job = self._job
        line = self._parking.line(job.execution_id, call.seq)
        line.on_step = partial(job.observer.call_progress, call.seq, call.path)
        if job.past is not None:
            self._entries.begin(call.seq, job.past.sent[call.seq].clock)
        given = job.given.get(call.seq)
        if given is not None and line.ask is not None and line.ask["id"] == given.interaction:
            line.answer(inputs.answer_of(line.ask, given.action, given.content))
        await self._follow(call, line)

    async def _follow(self, call: ToolCall, line: Line) -> None:
        """To its end; what it asks meanwhile is answered in another run."""
        heard = await line.news()
        if isinstance(heard, ElicitationRequest):
            line.ask = line.ask or inputs.parked_ask({**line.about, "id": new_id()}, heard)
            self._tell(Asked(self._clock(), call.seq, line.ask))
            heard = await line.outcome()
        self._parking.forget(self._job.execution_id, call.seq)
        self._heard(call, heard, line.about)

    def _heard(self, call: ToolCall, outcome: Settlement | InputNeeded, about: JsonObject) -> None:
        if isinstance(outcome, InputNeeded):
            ask = inputs.first_ask({**about, "id": new_id()}, outcome)
            if ask is not None:
                self._tell(Asked(self._clock(), call.seq, ask))
                return
            outcome = not_shown(call.path)
        self.settle(call, outcome)
        self._tell(Settled(self._clock(), call.seq, outcome.body))

    def settle(self, call: ToolCall, settlement: Settlement) -> None:
        """The call is over."""
        entry = self._entries.settle(call, settlement, self._clock())
        self._job.observer.call_finished(call.seq, call.path, entry.ok, entry.code, entry.ms)


def not_shown(path: str) -> Settlement:
    """The upstream asks what people cannot be shown as it is."""
    message = (
        f"The MCP server behind `{path}` asks for input in a form that cannot be shown; it was not answered."
    )
    error = {"code": "mcp_tool_error", "message": message, "retryable": False}
    return Settlement(orjson.dumps({"ok": False, "error": error}), False, "mcp_tool_error")
