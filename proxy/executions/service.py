"""`Executions`: run code, and decide about, look at, continue and end what has paused.

Works the same on every replica: what is not driven by this process is found in the state store. Whoever asks for the
next result drives the execution there; a decision alone only wakes those who wait, and drives what nobody waits for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from integrations.conversation import ElicitAction
from proxy.calls import Calls
from proxy.config import Config
from proxy.executions.cancel import Cancellation
from proxy.executions.context import (
    Environment,
    ExecutionLimits,
    MillisecondClock,
    NewExecution,
    Workers,
    limits_from,
    wall_clock,
)
from proxy.executions.decisions import ALL, Decisions, Listing, OnDecision, can_continue
from proxy.executions.driver import Driver
from proxy.executions.finish import (
    ApprovalUrl,
    EndListeners,
    Finisher,
    OnBegin,
    OnExecution,
    OnRun,
    as_it_stands,
    run_unseen,
    unrun,
)
from proxy.executions.interactions import (
    ELICIT_ACTIONS,
    REFUSALS,
    DecideOutcome,
    DecisionRefusal,
    ExecutionPage,
    ExecutionView,
    InteractionDecision,
    Pending,
    Via,
    overruled,
)
from proxy.executions.lease import tell, topic
from proxy.executions.open_calls import OpenCalls
from proxy.executions.records import body_of, day_entry, view
from proxy.executions.result import (
    SILENT,
    ExecutionError,
    ExecutionRequest,
    ExecutionResult,
    Observer,
    unavailable,
)
from proxy.executions.waiting import DeliveredPauses, ResultWaiter
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.state import Conflict, ExecutionRecord, Owner, State, StateUnavailable
from proxy.telemetry.spans import NoSpans, Spans
from proxy.turns import Turns

_SHUTTING_DOWN: Final = "The server is shutting down."
_NOT_DELIVERED: Final = (
    "Nothing was decided: the execution has gone on to other questions since you last got its result. These are the "
    "ones that wait now; decide again if you mean them."
)
_STATUS_OF: Final[Mapping[DecisionRefusal, str]] = MappingProxyType(
    {
        "not_found": "execution_not_found",
        "forbidden": "execution_forbidden",
        "expired": "execution_expired",
        "already_decided": "execution_already_settled",
    }
)
_KEY_KIND: Final = "execution-key"


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """What the rest of the process lends to executions.

    `on_execution` hears of each execution once, after its end, `on_decision` of every decision, `on_run` of the end of
    every run that the store is told of, `on_begin` of the beginning of every run; none must block.
    `is_approver`: may this caller decide for others in its workspace? `person_decides`: does the config want a person
    to decide in this workspace? `refresh_principal` gives a caller as it is now, with the groups of the current config;
    None when it is not admitted any more. What the event loop does for an account waits for its `turns`.
    """

    limits: Callable[[Config], ExecutionLimits] = limits_from
    clock: MillisecondClock = field(default_factory=wall_clock)
    on_execution: OnExecution | None = None
    on_decision: OnDecision | None = None
    on_run: OnRun = run_unseen
    on_begin: OnBegin | None = None
    spans: Spans = field(default_factory=NoSpans)
    is_approver: Callable[[Principal], bool] = lambda _: False
    person_decides: Callable[[str], bool] = lambda workspace_id: False
    approval_url: ApprovalUrl = lambda execution_id, session_id: None
    refresh_principal: Callable[[Principal], Principal | None] = lambda principal: principal
    turns: Turns = field(default_factory=Turns)


class Executions:
    """All executions of this process."""

    def __init__(
        self, pool: Workers, calls: Calls, live: Live, state: State, options: ExecutionOptions | None = None
    ) -> None:
        options = options or ExecutionOptions()
        clock = options.clock
        self._store = state
        self._clock = clock
        environment = Environment(
            pool,
            calls,
            live,
            state,
            clock,
            options.limits,
            options.spans,
            options.refresh_principal,
            options.turns,
        )
        open_calls = OpenCalls(state, self._can_continue, self._drive)
        listeners = EndListeners(options.on_execution, options.on_run, options.on_begin)
        finisher = Finisher(state, clock, open_calls, listeners, options.approval_url)
        self._driver = Driver(environment, finisher, open_calls)
        self._decisions = Decisions(
            state, clock, options.is_approver, options.on_decision, options.person_decides
        )
        self._delivered = DeliveredPauses(state, clock)
        self._waiter = ResultWaiter(state, clock, self._driver, self._decisions, self._delivered)
        self._listing = Listing(state, self._decisions, clock)
        self._cancellation = Cancellation(state, clock, self._driver, self._decisions)
        self._keys = IdempotencyKeys(state, clock)

    async def _can_continue(self, record: ExecutionRecord) -> bool:
        return await can_continue(self._store, record, self._clock())

    async def _drive(self, record: ExecutionRecord) -> None:
        await self._driver.start(record, SILENT)

    @property
    def running(self) -> int:
        """How many executions are under way in this process."""
        return len(self._driver.running)

    def activity(self) -> tuple[int, int]:
        """How many executions are under way in this process, and how many have begun since it started."""
        return len(self._driver.running), self._driver.begun

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
                result = await self._waiter.first(first, principal, observer)
                if result.status != "execution_not_found":
                    return result
                # The first one died before it began the execution. Only one of those who find out can begin it.
                execution_id = first
        announced = idempotency_key is not None
        return await self._begun(NewExecution(execution_id, request, principal, observer, announced))

    async def _begun(self, new: NewExecution) -> ExecutionResult:
        try:
            result = await self._driver.begin(new)
        except NotServing as closed:
            error = ExecutionError("NotServing", f"{closed}; try again shortly.")
            return unrun(new.execution_id, new.request, new.principal, error)
        if result.status == "running" and not self._driver.leaving:
            # The store did not answer, or another process took it over: wait for the result there.
            with suppress(StateUnavailable):
                result = await self._waiter.next(new.execution_id, new.principal, new.observer)
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
        """Decide, then continue to the next result, which may be another pause. `action` None decides nothing.

        Idempotent; concurrent ones join. A decision that was refused leaves the pause as it is, with a note. Without
        `interaction_id` it is about the pause that this caller was given last (see `waiting`).
        """
        chosen: ElicitAction | None = next((one for one in ELICIT_ACTIONS if one == action), None)
        if chosen is None:
            return await self._waiter.next(execution_id, principal, observer)
        # Judged and decided on one reading of the record: another pause may follow at any time.
        record = await self._decisions.find(execution_id, principal)
        if record is None:
            return refused(execution_id, principal, DecideOutcome(why="not_found"), None)
        if interaction_id is None and not await self._delivered.has(record, principal):
            result = await self._waiter.next(execution_id, principal, observer)
            return result.with_note(_NOT_DELIVERED) if result.waiting else result
        decision = InteractionDecision(chosen, content or {})
        outcome = await self._decide(record, {interaction_id or ALL: decision}, principal, via)
        if outcome.first_refusal is not None and not outcome.taken:
            said = await self._decisions.said_by_people(record)
            told = overruled((said[one] for one in outcome.refused if one in said), chosen)
            if outcome.first_refusal == "already_decided" and told is not None:
                return (await self._waiter.next(execution_id, principal, observer)).with_note(told)
            record = await self._decisions.find(execution_id, principal)
            if record is not None and record.status != "paused" and outcome.first_refusal == "not_found":
                # It was cancelled, or went on, while this was on its way: what became of it is the answer.
                return await self._waiter.next(execution_id, principal, observer)
            standing = as_it_stands(record) if record is not None and record.status == "paused" else None
            return refused(execution_id, principal, outcome, standing)
        result = await self._waiter.next(execution_id, principal, observer)
        return result.with_note(outcome.message()) if outcome.refused and result.waiting else result

    async def wait(
        self, execution_id: str, principal: Principal, seconds: float, observer: Observer = SILENT
    ) -> ExecutionResult:
        """The next result once somebody has decided, or the pause again after `seconds`."""
        return await self._waiter.next(execution_id, principal, observer, seconds * 1000)

    # ---- decide and look ----------------------------------------------------------------------------------------
    async def decide(
        self, execution_id: str, decisions: Mapping[str, InteractionDecision], decider: Principal, via: Via
    ) -> DecideOutcome:
        """Record decisions by interaction id (`*`: all that wait), and wake whoever waits for them anywhere.

        An execution that nobody waits for goes on here."""
        record = await self._decisions.find(execution_id, decider)
        if record is None:
            return DecideOutcome(why="not_found")
        outcome = await self._decide(record, decisions, decider, via)
        if outcome.taken and body_of(record).asked_for().unattended:
            with suppress(StateUnavailable):
                await self._drive(record)
        return outcome

    async def _decide(
        self,
        record: ExecutionRecord,
        decisions: Mapping[str, InteractionDecision],
        decider: Principal,
        via: Via,
    ) -> DecideOutcome:
        """Record decisions about what waits according to `record`."""
        outcome = await self._decisions.decide(record, decisions, decider, via)
        if outcome.taken:
            await tell(self._store, topic(record.execution_id))
        return outcome

    async def show(self, execution_id: str, principal: Principal) -> ExecutionView | None:
        """One execution, for its owner or an approver; None for everybody else."""
        record = await self._decisions.find(execution_id, principal)
        if record is None:
            return None
        people = frozenset(await self._decisions.said_by_people(record))
        return replace(view(record), decided=await self._decisions.answers(record), by_person=people)

    async def list(
        self, principal: Principal, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ExecutionPage:
        """Own executions, or all of the workspace for approvers. `status`: running, paused or settled."""
        return await self._listing.page(principal, status, limit, cursor)

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        """Every question that nobody has answered and that this caller may see, oldest first."""
        return await self._listing.pending(principal)

    # ---- end ----------------------------------------------------------------------------------------------------
    async def cancel(self, execution_id: str, principal: Principal) -> bool:
        """End an execution, wherever it runs; False when this caller knows none that is not over."""
        return await self._cancellation.cancel(execution_id, principal)

    async def listen(self) -> None:
        """Hear what other replicas want of this one. Runs until it is cancelled."""
        await self._cancellation.listen()

    async def recover(self) -> int:
        """Begin to continue executions that a dead process left behind, and to end those that waited too long.

        How many were found. Nobody waits for their results: they are in the store when they are there.
        """
        left = await self._store.unattended()
        for record in left:
            await self._driver.start(record, SILENT)
        return len(left)

    async def let_go(self, seconds: float = 5.0) -> None:
        """Stop driving continued executions; another process can continue them."""
        await self.hand_over(seconds)
        await self._driver.cancel_continued(seconds)

    async def idle(self) -> None:
        """Return when nothing is under way. Unbounded: the caller sets the limit."""
        while self._driver.running:
            await next(iter(self._driver.running.values())).over.wait()

    async def hand_over(self, seconds: float = 5.0) -> int:
        """Stop everything; nothing begins any more. What another process can continue is left to it as it is.

        Calls that must not be sent twice get `seconds` to end; what cannot wait for them, or has no store that outlives
        this process, is cancelled. How many executions are still under way after that.
        """
        return await self._cancellation.hand_over(_SHUTTING_DOWN, seconds)

    async def cancel_all(self, why: str = _SHUTTING_DOWN, seconds: float = 5.0) -> int:
        """Cancel everything and wait for the results to be on their way; how many are still under way after that."""
        return await self._cancellation.cancel_all(why, seconds)


def _is_text(code: str) -> bool:
    """JSON may carry `"\\ud800"`, which no UTF-8 can."""
    try:
        code.encode()
    except UnicodeEncodeError:
        return False
    return True


class IdempotencyKeys:
    """One key, one execution, for a day. Keys belong to one account of one workspace, and to one code."""

    def __init__(self, store: State, clock: MillisecondClock) -> None:
        self._store = store
        self._clock = clock

    async def first(
        self, key: str, execution_id: str, request: ExecutionRequest, principal: Principal
    ) -> str | None:
        """The id of the execution that the key stands for, ours if it was free; None: it was used with other code."""
        name = hashlib.sha256(f"{principal.account_id}\n{key}".encode()).hexdigest()
        code = hashlib.sha256(request.code.encode()).hexdigest()
        while True:
            known = await self._store.read_entry(_KEY_KIND, principal.workspace_id, name)
            if known is not None:
                first, _, its_code = known.value.decode().partition(" ")
                return first if its_code == code else None
            value = f"{execution_id} {code}".encode()
            entry = day_entry(_KEY_KIND, principal.workspace_id, name, value, self._clock())
            try:
                await self._store.write_entry(entry)
            except Conflict:
                continue
            return execution_id


def refused(
    execution_id: str, principal: Principal, outcome: DecideOutcome, standing: ExecutionResult | None
) -> ExecutionResult:
    """What to answer to a decision that was not taken. `standing` is the pause, if there is one."""
    refusal = outcome.first_refusal or "not_found"
    status = _STATUS_OF.get(refusal)
    if standing is not None and (status is None or refusal == "not_found"):
        return standing.with_note(REFUSALS[refusal])
    owner = Owner(principal.workspace_id, principal.account_id)
    return unavailable(status or "execution_not_found", execution_id, owner)
