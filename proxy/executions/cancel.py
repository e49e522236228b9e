"""The end of executions that have not ended by themselves: cancelled by somebody, or left to another process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from proxy.executions.context import MillisecondClock, within
from proxy.executions.decisions import Decisions
from proxy.executions.driver import Driver
from proxy.executions.finish import as_it_stands
from proxy.executions.lease import CANCELS, tell, topic
from proxy.executions.records import body_of
from proxy.executions.result import ExecutionError, ExecutionResult
from proxy.executions.run import Run
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner, State

_WHY: Final = "It was cancelled on request."
# How long to wait for the replica that runs it.
_WAIT_MS: Final = 15_000.0
_POLL_MS: Final = 1000.0
_CANCEL_SECONDS: Final = 5.0


class Cancellation:
    """Stops executions of this process, and asks other replicas to stop theirs."""

    def __init__(self, store: State, clock: MillisecondClock, driver: Driver, decisions: Decisions) -> None:
        self._store = store
        self._clock = clock
        self._driver = driver
        self._decisions = decisions

    # ---- one execution ------------------------------------------------------------------------------------------
    async def cancel(self, execution_id: str, principal: Principal) -> bool:
        """Whether it ended because of this; False also when the replica that runs it does not answer in time."""
        end = self._clock() + _WAIT_MS
        asked = False
        async with self._store.subscribe(topic(execution_id)) as news:
            while True:
                record = await self._decisions.find(execution_id, principal)
                run = self._driver.running.get(execution_id)
                if run is not None and (record is not None or _owner(principal) == run.owner):
                    run.cancel(_WHY)
                    await over([run], _WAIT_MS / 1000)
                    if run.ended is not None:
                        return run.ended.status == "canceled"
                    continue  # it paused meanwhile, or was left to others
                if record is None or record.status == "settled":
                    return asked and record is not None and body_of(record).outcome().status == "canceled"
                if await self._driver.close(record, _canceled(record)):
                    return True
                if self._clock() >= end:
                    return False
                asked = True
                await tell(self._store, CANCELS, execution_id.encode())
                try:
                    async with within(_POLL_MS):
                        await news.receive()
                except TimeoutError:
                    continue

    async def listen(self) -> None:
        """Cancel what other replicas were asked to cancel, and have judged to be theirs to ask for."""
        async with self._store.subscribe(CANCELS) as news:
            while True:
                # A message that was missed comes again: whoever asks repeats it.
                message = await news.receive()
                run = self._driver.running.get(message.decode()) if message is not None else None
                if run is not None:
                    run.cancel(_WHY)

    # ---- all of this process ------------------------------------------------------------------------------------
    async def cancel_all(self, why: str, seconds: float) -> int:
        """How many are still under way after `seconds`."""
        runs = list(self._driver.running.values())
        for run in runs:
            run.cancel(why)
        return await over(runs, seconds)

    async def hand_over(self, why: str, seconds: float) -> int:
        """Leave to others what can be left, after at most `seconds`, and cancel the rest."""
        self._driver.leave()
        if self._store.durable:
            runs = list(self._driver.running.values())
            for run in runs:
                run.hand_over()
            await over(runs, seconds)
        return await self.cancel_all(why, _CANCEL_SECONDS)


async def over(runs: Sequence[Run], seconds: float) -> int:
    """Wait for them; how many are still under way after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            for run in runs:
                await run.over.wait()
    except TimeoutError:
        pass
    return sum(not run.over.is_set() for run in runs)


def _owner(principal: Principal) -> Owner:
    return Owner(principal.workspace_id, principal.account_id)


def _canceled(record: ExecutionRecord) -> ExecutionResult:
    error = ExecutionError("CanceledError", _WHY)
    return replace(as_it_stands(record), status="canceled", interactions=(), error=error)
