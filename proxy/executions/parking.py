"""Calls that ask in the middle, over a connection that only this process holds: kept while their execution waits.

A server of the handshake era asks while its call is under way. The execution pauses like any other, without a worker;
the call stays here, and so do the driving rights, so that an answer given on any replica is carried out by this one.

Rules:
- The journal says of such a call only that it was sent. If this process dies, whoever goes on finds a call without an
  outcome, and the rule of crashes settles it: repeated if that is harmless, else a person is asked.
- At most `most` questions are open at a time; beyond that they are refused, and the upstream is told so.
- A call whose execution ends, expires or is taken over is cancelled at its upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from integrations.base import JsonObject
from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded
from proxy.calls import Settlement, Talk
from proxy.executions.claim import LEASE_SECONDS
from proxy.executions.inputs import shown
from proxy.executions.topics import topic
from proxy.state import ExecutionRecord, Lease, State, StateError
from proxy.telemetry import Logger

_log = Logger("executions")
_LOOK_SECONDS: Final = 2.0
CANCELLED: Final = ElicitationAnswer("cancel")
Outcome = Settlement | InputNeeded
Send = Callable[[Talk], Coroutine[Any, Any, Outcome]]
Drive = Callable[[ExecutionRecord], Awaitable[object]]
Moves = Callable[[ExecutionRecord], Awaitable[bool]]


class Line:
    """One call under way that may ask. `ask` is its open question as people were asked it, `about` what any question of
    it says about the call.
    """

    def __init__(self, talk: Talk, send: Send, room: Callable[[], bool]) -> None:
        self.on_step = talk.on_step
        self.about: JsonObject = {}
        self.ask: JsonObject | None = None
        self._room = room
        self._question: ElicitationRequest | None = None
        self._answer: asyncio.Future[ElicitationAnswer] | None = None
        self._news = asyncio.Event()
        mine = Talk(lambda text: self.on_step(text), talk.party, self._asked, talk.reply)
        self.task = asyncio.ensure_future(send(mine))  # noqa: TID251 - owned by `Parking`, which ends it
        self.task.add_done_callback(self._over)

    @property
    def asks(self) -> bool:
        """Whether somebody must answer before it goes on."""
        return self._question is not None

    async def news(self) -> Outcome | ElicitationRequest:
        """How it ended, or what it asks now."""
        while True:
            if self.task.done():
                return self.task.result()
            if self._question is not None:
                return self._question
            self._news.clear()
            await self._news.wait()

    async def outcome(self) -> Outcome:
        """How it ended."""
        return await asyncio.shield(self.task)

    def answer(self, answer: ElicitationAnswer) -> None:
        """Of the open question; nothing happens when there is none."""
        if self._answer is not None and not self._answer.done():
            self._question, self.ask = None, None
            self._answer.set_result(answer)

    async def _asked(self, question: ElicitationRequest) -> ElicitationAnswer | None:
        found = shown(question)
        if found is None or self.task.done() or not self._room():
            return None
        self._question = found
        self._answer = asyncio.get_running_loop().create_future()
        self._news.set()
        try:
            return await self._answer
        finally:
            self._question, self.ask, self._answer = None, None, None

    def _over(self, task: asyncio.Task[Outcome]) -> None:
        """A question that nobody waits for any more is withdrawn."""
        self.answer(CANCELLED)
        self._news.set()


class Parking:
    """The lines of all executions of this process, and what is kept for those that wait.

    `drive` goes on with an execution, `moves` says whether it can; both are set once, before anything is parked.
    """

    def __init__(self, store: State, most: int = 64) -> None:
        self._store = store
        self._most = most
        self._lines: dict[str, dict[int, Line]] = {}
        self._watches: dict[str, _Watch] = {}
        self.drive: Drive | None = None
        self.moves: Moves | None = None

    # ---- lines --------------------------------------------------------------------------------------------------
    def begin(self, execution_id: str, seq: int, talk: Talk, send: Send) -> Line:
        line = Line(talk, send, self._room)
        self._lines.setdefault(execution_id, {})[seq] = line
        return line

    def line(self, execution_id: str, seq: int) -> Line:
        return self._lines[execution_id][seq]

    def alive(self, execution_id: str) -> frozenset[int]:
        """The calls that are under way here."""
        return frozenset(self._lines.get(execution_id, ()))

    def forget(self, execution_id: str, seq: int) -> None:
        """It is over, and its outcome has been heard."""
        lines = self._lines.get(execution_id, {})
        lines.pop(seq, None)
        if not lines:
            self._lines.pop(execution_id, None)

    def _room(self) -> bool:
        lines = (line for each in self._lines.values() for line in each.values())
        return sum(line.asks for line in lines) < self._most

    async def drop(self, execution_id: str) -> None:
        """Cancel what is under way for an execution that does not wait for it any more."""
        lines = self._lines.pop(execution_id, {}).values()
        for line in lines:
            line.task.cancel()
        if lines:
            await asyncio.wait([line.task for line in lines])

    # ---- executions that wait -----------------------------------------------------------------------------------
    def keep(self, record: ExecutionRecord, lease: Lease) -> None:
        """It paused with calls under way here: hold on to the right to drive it, and drive it when it can go on."""
        self._watches[record.execution_id] = _Watch(self, record, lease)

    def take(self, execution_id: str) -> Lease | None:
        """The right to drive it, for whoever drives it now. None: it does not wait here."""
        watch = self._watches.pop(execution_id, None)
        return watch.stop() if watch is not None else None

    async def close(self) -> None:
        """Let everything go; the rule of crashes says what becomes of the calls."""
        for execution_id in tuple(self._watches):
            lease = self.take(execution_id)
            if lease is not None:
                with suppress(StateError):
                    await self._store.release_lease(lease)
        for execution_id in tuple(self._lines):
            await self.drop(execution_id)

    async def watch(self, watch: _Watch) -> None:
        """Until it can go on, or somebody else has taken it over."""
        record = watch.record
        async with self._store.subscribe(topic(record.execution_id)) as news:
            while not await self._stirs(record):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await news.receive()
                renewed = await self._store.renew_lease(watch.lease, LEASE_SECONDS)
                if renewed is None:
                    self._watches.pop(record.execution_id, None)
                    await self.drop(record.execution_id)
                    return
                watch.lease = renewed
        assert self.drive is not None
        await self.drive(record)

    async def _stirs(self, record: ExecutionRecord) -> bool:
        assert self.moves is not None
        lines = self._lines.get(record.execution_id, {}).values()
        return any(not line.asks for line in lines) or await self.moves(record)


class _Watch:
    """One execution that waits here. `lease` is the right to drive it, as last renewed."""

    def __init__(self, parking: Parking, record: ExecutionRecord, lease: Lease) -> None:
        self.record = record
        self.lease = lease
        self._parking = parking
        self._task = asyncio.ensure_future(self._run())  # noqa: TID251 - owned by `Parking`, which ends it

    def stop(self) -> Lease:
        # Whoever found that it can go on drives it in this very task.
        if self._task is not asyncio.current_task():
            self._task.cancel()
        return self.lease

    async def _run(self) -> None:
        while True:
            try:
                return await self._parking.watch(self)
            except StateError as error:
                _log.warning("parked_call_unwatched", execution=self.record.execution_id, reason=str(error))
                await asyncio.sleep(_LOOK_SECONDS)
