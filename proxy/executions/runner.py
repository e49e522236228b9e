"""`Executions`: run code, and decide about, look at, continue and end what has paused.

Works the same on every replica: what is not driven by this process is found in the state store. Whoever asks for the
next result drives the execution there; a decision alone only wakes those who wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from proxy.calls import Calls
from proxy.config import Config
from proxy.executions.answers import unrun
from proxy.executions.approvals import (
    CHOICES,
    Choice,
    DecideOutcome,
    Decision,
    ExecutionView,
    Page,
    Pending,
    Via,
)
from proxy.executions.clock import wall_clock
from proxy.executions.closing import ApprovalUrl, Closing
from proxy.executions.deciding import Desk, OnDecision
from proxy.executions.driver import Driver, Still
from proxy.executions.following import Following
from proxy.executions.idempotency import Keys
from proxy.executions.job import Workers
from proxy.executions.limits import ExecutionLimits, limits_from
from proxy.executions.listing import Listing
from proxy.executions.outcome import (
    SILENT,
    ExecutionError,
    ExecutionRequest,
    ExecutionResult,
    Observer,
)
from proxy.executions.parking import Parking
from proxy.executions.records import view
from proxy.executions.reports import OnExecution
from proxy.executions.resuming import Resuming
from proxy.executions.seen import Seen
from proxy.executions.stopping import Stopping
from proxy.executions.stretch import Asked
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.state import State, StateUnavailable
from proxy.telemetry.spans import NoSpans, Spans

_SHUTTING_DOWN: Final = "The server is shutting down."


class Executions:
    """All executions of this process. `on_execution` hears of each once, after its end, and must not block."""

    def __init__(
        self,
        pool: Workers,
        calls: Calls,
        live: Live,
        state: State,
        *,
        limits: Callable[[Config], ExecutionLimits] = limits_from,
        clock: Callable[[], float] | None = None,
        on_execution: OnExecution | None = None,
        on_decision: OnDecision | None = None,
        spans: Spans | None = None,
        is_approver: Callable[[Principal], bool] = lambda _: False,
        approval_url: ApprovalUrl = lambda execution_id, session_id: None,
        still: Still = lambda principal: principal,
    ) -> None:
        self._state = state
        self._clock = clock or wall_clock()
        parking = Parking(state)
        closing = Closing(state, self._clock, on_execution, approval_url, parking)
        self._driver = Driver(
            pool, calls, live, state, limits, self._clock, closing, spans or NoSpans(), parking, still
        )
        self._desk = Desk(state, is_approver, self._clock, on_decision)
        seen = Seen(state, self._clock)
        self._following = Following(state, self._driver, self._desk, seen, self._clock)
        parking.moves = self._following.moves
        parking.drive = partial(self._driver.start, observer=SILENT)
        self._resuming = Resuming(state, self._desk, self._following, seen)
        self._listing = Listing(state, self._desk, self._clock)
        self._stopping = Stopping(state, self._driver, self._desk, self._clock)
        self._keys = Keys(state, self._clock)

    @property
    def running(self) -> int:
        """How many executions are under way in this process."""
        return len(self._driver.running)

    # ---- run ----------------------------------------------------------------------------------------------------
    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        """Run the code. When this task is cancelled the worker is killed.

        `idempotency_key`: the same key, principal and code give the same execution, whoever asks first runs it; the
        same key with other code is a `failed` result named IdempotencyError.
        """
        execution_id = f"exec_{secrets.token_hex(16)}"
        if not _is_text(request.code):
            error = ExecutionError(
                "SyntaxError", "The code is not valid Unicode: it holds half of a surrogate pair."
            )
            return unrun(execution_id, request, principal, error)
        if idempotency_key is not None:
            request = replace(request, keep=True)
            first = await self._keys.first(idempotency_key, execution_id, request, principal)
            if first is None:
                error = ExecutionError("IdempotencyError", "This Idempotency-Key was used with other code.")
                return unrun(execution_id, request, principal, error)
            if first != execution_id:
                result = await self._following.first(first, principal, observer)
                if result.status != "execution_not_found":
                    return result
                # Whoever was the first died before it began. Only one of those who find out can begin it.
                execution_id = first
        asked = Asked(execution_id, request, principal, observer, known=idempotency_key is not None)
        return await self._begun(asked)

    async def _begun(self, asked: Asked) -> ExecutionResult:
        execution_id, request, principal, observer = (
            asked.execution_id,
            asked.request,
            asked.principal,
            asked.observer,
        )
        try:
            result = await self._driver.begin(asked)
        except NotServing as closed:
            error = ExecutionError("NotServing", f"{closed}; try again shortly.")
            return unrun(execution_id, request, principal, error)
        if result.status == "running" and not self._driver.leaving:
            # Its store went away under it, or another process took it over: the result comes from there, in time.
            with suppress(StateUnavailable):
                result = await self._following.next(execution_id, principal, observer)
        return result

    # ---- continue -----------------------------------------------------------------------------------------------
    async def resume(
        self,
        execution_id: str,
        action: str | None,
        content: Mapping[str, Any] | None,
        interaction_id: str | None,
        principal: Principal,
        *,
        via: Via = "mcp",
        observer: Observer = SILENT,
    ) -> ExecutionResult:
        """Decide, then go on to the next result, which may be another pause. `action` None only goes on.

        Idempotent; concurrent ones join. A decision that was refused leaves the pause as it is, with a note. Without
        `interaction_id` it is about the pause that this caller was given last (see `seen`).
        """
        chosen: Choice | None = next((one for one in CHOICES if one == action), None)
        if chosen is None:
            return await self._following.next(execution_id, principal, observer)
        decision = Decision(chosen, content or {})
        return await self._resuming.resume(execution_id, interaction_id, decision, principal, via, observer)

    async def wait(
        self, execution_id: str, principal: Principal, seconds: float, observer: Observer = SILENT
    ) -> ExecutionResult:
        """The next result once somebody has decided, or the pause again after `seconds`."""
        return await self._following.next(execution_id, principal, observer, seconds)

    # ---- decide and look ----------------------------------------------------------------------------------------
    async def decide(
        self, execution_id: str, decisions: Mapping[str, Decision], decider: Principal, via: Via
    ) -> DecideOutcome:
        """Record decisions by interaction id (`*`: all that wait), and wake whoever waits for them anywhere."""
        record = await self._desk.find(execution_id, decider)
        if record is None:
            return DecideOutcome(why="not_found")
        return await self._resuming.decide(record, decisions, decider, via)

    async def show(self, execution_id: str, principal: Principal) -> ExecutionView | None:
        """One execution, for its owner or an approver; None for everybody else."""
        record = await self._desk.find(execution_id, principal)
        return replace(view(record), decided=await self._desk.answers(record)) if record is not None else None

    async def list(
        self, principal: Principal, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Own executions, or all of the workspace for approvers. `status`: running, paused or settled."""
        return await self._listing.page(principal, status, limit, cursor)

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        """Every question that nobody has answered and that this caller may see, oldest first."""
        return await self._listing.pending(principal)

    # ---- end ----------------------------------------------------------------------------------------------------
    async def cancel(self, execution_id: str, principal: Principal) -> bool:
        """End an execution, wherever it runs; False when this caller knows none that is not over."""
        return await self._stopping.cancel(execution_id, principal)

    async def listen(self) -> None:
        """Hear what other replicas want of this one. Runs until it is cancelled."""
        await self._stopping.listen()

    async def recover(self) -> int:
        """Begin to go on with executions that a dead process left behind, and to end those that waited too long.

        How many were found. Nobody waits for their results: they are in the store when they are there.
        """
        left = await self._state.unattended()
        for record in left:
            await self._driver.start(record, SILENT)
        return len(left)

    async def let_go(self, seconds: float = 5.0) -> None:
        """Stop driving continued executions; another process can go on with them."""
        await self.hand_over(seconds)
        await self._driver.cancel_continued(seconds)

    async def idle(self) -> None:
        """Return when nothing is under way. Unbounded: the caller sets the limit."""
        while self._driver.running:
            await next(iter(self._driver.running.values())).over.wait()

    async def hand_over(self, seconds: float = 5.0) -> int:
        """Stop everything; nothing begins any more. What another process can go on with is left to it, as it is.

        Calls that must not be sent twice get `seconds` to end; what cannot wait for them, or has no store that outlives
        this process, is cancelled. How many executions are still under way after that.
        """
        return await self._stopping.hand_over(_SHUTTING_DOWN, seconds)

    async def cancel_all(self, why: str = _SHUTTING_DOWN, seconds: float = 5.0) -> int:
        """Cancel everything and wait for the results to be on their way; how many are still under way after that."""
        return await self._stopping.cancel_all(why, seconds)


def _is_text(code: str) -> bool:
    """JSON may carry `"\\ud800"`, which no UTF-8 can."""
    try:
        code.encode()
    except UnicodeEncodeError:
        return False
    return True
