"""The next result of an execution that has begun already, whoever drives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from proxy.executions.answers import as_it_stands
from proxy.executions.approvals import Interaction
from proxy.executions.deciding import Desk
from proxy.executions.driver import Driver
from proxy.executions.outcome import ExecutionResult, Observer, unavailable
from proxy.executions.records import body_of
from proxy.executions.seen import Seen
from proxy.executions.topics import topic
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner, State

# How long a caller waits for an execution that another replica drives.
_PATIENCE_SECONDS: Final = 240.0
_LOOK_SECONDS: Final = 1.0
# How long somebody who was the first with a key may take to begin.
_BEGIN_SECONDS: Final = 10.0
# How often one caller begins again after the store was gone in the middle, or somebody else took over.
_TORN: Final = 3
# How often one caller follows decisions that came while a pause was being reported.
_LATE: Final = 3


class Following:
    """Drives an execution when it can go on and nobody else does; else waits for news."""

    def __init__(
        self, store: State, driver: Driver, desk: Desk, seen: Seen, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._seen = seen
        self._driver = driver
        self._desk = desk
        self._clock = clock

    async def next(
        self, execution_id: str, principal: Principal, observer: Observer, seconds: float = 0.0
    ) -> ExecutionResult:
        """An end or a pause; the pause where it stands now when nobody decides for `seconds`."""
        result = await self._next(execution_id, principal, observer, seconds)
        await self._seen.note(result, principal)
        return result

    async def _next(
        self, execution_id: str, principal: Principal, observer: Observer, seconds: float
    ) -> ExecutionResult:
        until = self._clock() + seconds * 1000
        patience = self._clock() + _PATIENCE_SECONDS * 1000
        torn = late = 0
        async with self._store.subscribe(topic(execution_id)) as news:
            while True:
                record = await self._desk.find(execution_id, principal)
                if record is None:
                    owner = Owner(principal.workspace_id, principal.account_id)
                    return unavailable("execution_not_found", execution_id, owner)
                if record.status == "settled":
                    return body_of(record).outcome()
                waits = record.status == "paused" and not await self.moves(record)
                if not waits:
                    result = await self._driver.go_on(record, observer)
                    torn += result is not None and result.status == "running"
                    if result is not None and result.waiting and late < _LATE and await self._decided(result):
                        late += 1
                        continue
                    if result is not None and (
                        result.status != "running" or self._driver.leaving or torn >= _TORN
                    ):
                        return result
                now = self._clock()
                if now >= (until if waits else patience) or (self._driver.leaving and not waits):
                    return as_it_stands(record)
                left = min(_LOOK_SECONDS, ((until if waits else patience) - now) / 1000)
                try:
                    async with asyncio.timeout(max(left, 0.01)):
                        await news.receive()
                except TimeoutError:
                    continue

    async def moves(self, record: ExecutionRecord) -> bool:
        """Whether a paused execution can go on: something was decided, or time is up."""
        if record.due_at is not None and record.due_at * 1000 <= self._clock():
            return True
        return await self._any_decided(record.execution_id, record.owner, body_of(record).asked())

    async def _decided(self, result: ExecutionResult) -> bool:
        """Whether a decision came after the run that ended in this pause had looked for decisions."""
        owner = Owner(result.workspace_id, result.account_id)
        return await self._any_decided(result.execution_id, owner, result.interactions)

    async def _any_decided(self, execution_id: str, owner: Owner, asked: Iterable[Interaction]) -> bool:
        ids = {one.id for one in asked}
        decided = await self._store.decisions(execution_id, owner)
        return any(one.interaction_id in ids for one in decided)

    async def first(self, execution_id: str, principal: Principal, observer: Observer) -> ExecutionResult:
        """The result of an execution that somebody else was about to begin; `execution_not_found` if nobody did."""
        end = self._clock() + _BEGIN_SECONDS * 1000
        while True:
            result = await self.next(execution_id, principal, observer)
            if result.status != "execution_not_found" or self._clock() >= end:
                return result
            await asyncio.sleep(_LOOK_SECONDS / 4)
