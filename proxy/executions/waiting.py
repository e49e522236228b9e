"""The next result of an execution that has begun already, whoever drives it; and which pauses a caller was given.

`resume` without an interaction means the questions that its caller was given. The protocol does not say which those
are: a request that is sent again, because its answer did not arrive, looks like one about the pause that came after.
So:

- the first pause of an execution may be decided about by whoever knows the execution's id;
- any later one only by an account that was given it as a result, here or on another replica. Until then a decision
  without an interaction counts as a repetition, and is answered with the pause as it stands.

What cannot be told: whether an answer that this server has sent did arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

from proxy.executions.context import MillisecondClock, within
from proxy.executions.decisions import Decisions, any_decided, can_continue
from proxy.executions.driver import Driver
from proxy.executions.finish import as_it_stands
from proxy.executions.lease import topic
from proxy.executions.records import body_of, day_entry
from proxy.executions.result import ExecutionResult, Observer, unavailable
from proxy.principal import Principal
from proxy.state import Conflict, ExecutionRecord, Owner, State, StateUnavailable

# How long a caller waits for an execution that another replica drives.
WAIT_MS: Final = 240_000.0
POLL_MS: Final = 1000.0
# How long somebody who was the first with a key may take to begin.
_BEGIN_MS: Final = 10_000.0
# How often one caller begins again after the store was gone in the middle, or somebody else took over.
MAX_RETRIES: Final = 3
# How often one caller follows decisions that came while a pause was being reported.
_MAX_LATE_DECISIONS: Final = 3
_DELIVERED: Final = "pause-seen"


class ResultWaiter:
    """Drives an execution when it can go on and nobody else does; else waits for news."""

    def __init__(
        self,
        store: State,
        clock: MillisecondClock,
        driver: Driver,
        decisions: Decisions,
        delivered: DeliveredPauses,
    ) -> None:
        self._store = store
        self._clock = clock
        self._driver = driver
        self._decisions = decisions
        self._delivered = delivered

    async def next(
        self, execution_id: str, principal: Principal, observer: Observer, wait_ms: float = 0.0
    ) -> ExecutionResult:
        """An end or a pause; the pause where it stands now when nobody decides for `wait_ms`."""
        result = await self._next(execution_id, principal, observer, wait_ms)
        await self._delivered.note(result, principal)
        return result

    async def _next(
        self, execution_id: str, principal: Principal, observer: Observer, wait_ms: float
    ) -> ExecutionResult:
        paused_until = self._clock() + wait_ms
        running_until = self._clock() + WAIT_MS
        retries = late = 0
        async with self._store.subscribe(topic(execution_id)) as news:
            while True:
                record = await self._decisions.find(execution_id, principal)
                if record is None:
                    owner = Owner(principal.workspace_id, principal.account_id)
                    return unavailable("execution_not_found", execution_id, owner)
                if record.status == "settled":
                    return body_of(record).outcome()
                waits = record.status == "paused" and not await can_continue(
                    self._store, record, self._clock()
                )
                observer.undecided(_addresses(record) if waits else ())
                if not waits:
                    result = await self._driver.drive(record, observer)
                    if result is not None and result.status == "running":
                        retries += 1
                    if late < _MAX_LATE_DECISIONS and await self._was_decided(result):
                        late += 1
                        continue
                    if result is not None and self._is_final(result, retries):
                        return result
                now = self._clock()
                until = paused_until if waits else running_until
                if now >= until or (self._driver.leaving and not waits):
                    return as_it_stands(record)
                try:
                    async with within(max(min(POLL_MS, until - now), 10.0)):
                        await news.receive()
                except TimeoutError:
                    continue

    def _is_final(self, result: ExecutionResult, retries: int) -> bool:
        """Whether trying again would not help: an end, a pause, or an execution that another process has to drive."""
        return result.status != "running" or self._driver.leaving or retries >= MAX_RETRIES

    async def _was_decided(self, result: ExecutionResult | None) -> bool:
        """Whether a decision came after the run that ended in this pause had looked for decisions."""
        if result is None or not result.waiting:
            return False
        owner = Owner(result.workspace_id, result.account_id)
        return await any_decided(self._store, result.execution_id, owner, result.interactions)

    async def first(self, execution_id: str, principal: Principal, observer: Observer) -> ExecutionResult:
        """The result of an execution that somebody else was about to begin; `execution_not_found` if nobody did."""
        end = self._clock() + _BEGIN_MS
        while True:
            result = await self.next(execution_id, principal, observer)
            if result.status != "execution_not_found" or self._clock() >= end:
                return result
            await asyncio.sleep(POLL_MS / 4000)


def _addresses(record: ExecutionRecord) -> tuple[str, ...]:
    return tuple(one.address for one in body_of(record).asked())


class DeliveredPauses:
    """Which pause an account was given as a result, so that a repeated decision does not decide about newer questions.

    Kept in the state store for a day.
    """

    def __init__(self, store: State, clock: MillisecondClock) -> None:
        self._store = store
        self._clock = clock

    async def note(self, result: ExecutionResult, principal: Principal) -> None:
        """This caller is about to be given this result."""
        if not result.waiting or result.pause <= 1:
            return
        name = _name(result.execution_id, result.pause, principal)
        entry = day_entry(_DELIVERED, principal.workspace_id, name, b"", self._clock())
        try:
            await self._store.write_entry(entry)
        except Conflict:
            return  # noted before
        except StateUnavailable:
            return  # the result counts more: a decision without an interaction is then asked for once more

    async def has(self, record: ExecutionRecord, principal: Principal) -> bool:
        """Whether a decision of this caller that names no question is about the pause where the execution stands."""
        if record.status != "paused":
            return True
        pause = body_of(record).pauses
        if pause <= 1:
            return True
        name = _name(record.execution_id, pause, principal)
        return await self._store.read_entry(_DELIVERED, principal.workspace_id, name) is not None


def _name(execution_id: str, pause: int, principal: Principal) -> str:
    text = f"{principal.account_id}\n{execution_id}\n{pause}"
    return hashlib.sha256(text.encode()).hexdigest()
