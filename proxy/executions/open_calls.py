"""Calls that ask in the middle, over a connection that only this process holds: kept while their execution waits.

A server of the handshake era asks while its call is under way. The execution pauses like any other, without a worker;
the call stays here, and so does the lease on the execution, so that an answer given on any replica is carried out by
this one.

Rules:
- The journal says of such a call only that it was sent. If this process dies, the next one finds a call without an
  outcome and treats it as after any crash: it is repeated if that is harmless, else a person is asked.
- At most `most` questions are open at a time; beyond that they are refused, and the upstream is told so.
- A call whose execution ends, expires or is taken over is cancelled at its upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded
from proxy.calls import Settlement, Talk
from proxy.executions.lease import LEASE_SECONDS, topic
from proxy.executions.machine.elicitation import parked_question, presentable
from proxy.executions.machine.journal import AskingCall, UpstreamQuestion
from proxy.executions.questions import new_id
from proxy.state import ExecutionRecord, Lease, State, StateError
from proxy.telemetry import Logger

_log = Logger("executions")
POLL_SECONDS: Final = 2.0
CANCELLED: Final = ElicitationAnswer("cancel")
CallOutcome = Settlement | InputNeeded
SendCall = Callable[[Talk], Coroutine[Any, Any, CallOutcome]]
Drive = Callable[[ExecutionRecord], Awaitable[object]]
CanContinue = Callable[[ExecutionRecord], Awaitable[bool]]


class OpenCall:
    """One call under way that may ask. `asking` is what any question of it says about the call, `question` its open
    question as people were asked it.
    """

    def __init__(self, talk: Talk, send: SendCall, asking: AskingCall, has_room: Callable[[], bool]) -> None:
        self.asking = asking
        self.question: UpstreamQuestion | None = None
        self._on_step = talk.on_step
        self._has_room = has_room
        self._request: ElicitationRequest | None = None
        self._answer: asyncio.Future[ElicitationAnswer] | None = None
        self._news = asyncio.Event()
        mine = Talk(lambda text: self._on_step(text), talk.party, self._asked, talk.reply)
        self.task = asyncio.ensure_future(send(mine))  # noqa: TID251 - owned by `OpenCalls`, which ends it
        self.task.add_done_callback(self._over)

    @property
    def asks(self) -> bool:
        """Whether it waits for an answer."""
        return self._request is not None

    def report_to(self, on_step: Callable[[str], None]) -> None:
        """Its progress interests somebody else from now on."""
        self._on_step = on_step

    def pose(self, request: ElicitationRequest) -> UpstreamQuestion:
        """What people are asked; the same question for as long as it is open."""
        if self.question is None:
            self.question = parked_question(new_id(), self.asking, request)
        return self.question

    async def news(self) -> CallOutcome | ElicitationRequest:
        """How it ended, or what it asks now."""
        while True:
            if self.task.done():
                return self.task.result()
            if self._request is not None:
                return self._request
            self._news.clear()
            await self._news.wait()

    async def outcome(self) -> CallOutcome:
        """How it ended."""
        return await asyncio.shield(self.task)

    def answer(self, answer: ElicitationAnswer) -> None:
        """Of the open question; nothing happens when there is none."""
        if self._answer is not None and not self._answer.done():
            self._request, self.question = None, None
            self._answer.set_result(answer)

    async def _asked(self, request: ElicitationRequest) -> ElicitationAnswer | None:
        found = presentable(request)
        if found is None or self.task.done() or not self._has_room():
            return None
        self._request = found
        self._answer = asyncio.get_running_loop().create_future()
        self._news.set()
        try:
            return await self._answer
        finally:
            self._request, self.question, self._answer = None, None, None

    def _over(self, task: asyncio.Task[CallOutcome]) -> None:
        """A question that nobody waits for any more is withdrawn."""
        self.answer(CANCELLED)
        self._news.set()


class OpenCalls:
    """The open calls of all executions of this process, and the leases of those executions that wait.

    `can_continue` says whether such an execution can be continued, and `drive` continues it.
    """

    def __init__(self, store: State, can_continue: CanContinue, drive: Drive, most: int = 64) -> None:
        self._store = store
        self._can_continue = can_continue
        self._drive = drive
        self._most = most
        self._calls: dict[str, dict[int, OpenCall]] = {}
        self._waiting: dict[str, _Waiting] = {}

    # ---- calls --------------------------------------------------------------------------------------------------
    def begin(self, execution_id: str, seq: int, talk: Talk, send: SendCall, asking: AskingCall) -> OpenCall:
        """Send a call that may ask."""
        one = OpenCall(talk, send, asking, self._has_room)
        self._calls.setdefault(execution_id, {})[seq] = one
        return one

    def call(self, execution_id: str, seq: int) -> OpenCall:
        return self._calls[execution_id][seq]

    def alive(self, execution_id: str) -> frozenset[int]:
        """The calls that are under way here."""
        return frozenset(self._calls.get(execution_id, ()))

    def forget(self, execution_id: str, seq: int) -> None:
        """It is over, and its outcome has been heard."""
        calls = self._calls.get(execution_id, {})
        calls.pop(seq, None)
        if not calls:
            self._calls.pop(execution_id, None)

    def _has_room(self) -> bool:
        calls = (one for each in self._calls.values() for one in each.values())
        return sum(one.asks for one in calls) < self._most

    async def drop(self, execution_id: str) -> None:
        """Cancel what is under way for an execution that does not wait for it any more."""
        calls = self._calls.pop(execution_id, {}).values()
        for one in calls:
            one.task.cancel()
        if calls:
            await asyncio.wait([one.task for one in calls])

    # ---- executions that wait -----------------------------------------------------------------------------------
    def keep(self, record: ExecutionRecord, lease: Lease) -> None:
        """It paused with calls under way here: keep the lease, and drive the execution when it can be continued."""
        self._waiting[record.execution_id] = _Waiting(self, record, lease)

    def take(self, execution_id: str) -> Lease | None:
        """The lease, for whoever drives it now. None: it does not wait here."""
        waiting = self._waiting.pop(execution_id, None)
        return waiting.stop() if waiting is not None else None

    async def close(self) -> None:
        """Cancel the calls and release the leases; other processes treat them as after a crash."""
        for execution_id in tuple(self._waiting):
            lease = self.take(execution_id)
            if lease is not None:
                with suppress(StateError):
                    await self._store.release_lease(lease)
        for execution_id in tuple(self._calls):
            await self.drop(execution_id)

    async def wait(self, record: ExecutionRecord, renew: Callable[[], Awaitable[bool]]) -> None:
        """Drive the execution when it can be continued; return as well when another process has taken it over."""
        async with self._store.subscribe(topic(record.execution_id)) as news:
            while not await self._moves(record):
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await news.receive()
                if not await renew():
                    self._waiting.pop(record.execution_id, None)
                    await self.drop(record.execution_id)
                    return
        await self._drive(record)

    async def renewed(self, lease: Lease) -> Lease | None:
        """The lease, renewed; None when it was lost."""
        return await self._store.renew_lease(lease, LEASE_SECONDS)

    async def _moves(self, record: ExecutionRecord) -> bool:
        """Whether a call of it has ended or an answer has come."""
        calls = self._calls.get(record.execution_id, {}).values()
        return any(not one.asks for one in calls) or await self._can_continue(record)


class _Waiting:
    """One execution that waits here, with the lease on it as last renewed."""

    def __init__(self, open_calls: OpenCalls, record: ExecutionRecord, lease: Lease) -> None:
        self._open_calls = open_calls
        self._record = record
        self._lease = lease
        self._task = asyncio.ensure_future(self._run())  # noqa: TID251 - owned by `OpenCalls`, which ends it

    def stop(self) -> Lease:
        # `_run` ends up here itself when it drives the execution: a task must not cancel itself.
        if self._task is not asyncio.current_task():
            self._task.cancel()
        return self._lease

    async def _run(self) -> None:
        while True:
            try:
                return await self._open_calls.wait(self._record, self._renew)
            except StateError as error:
                _log.warning("parked_call_unwatched", execution=self._record.execution_id, reason=str(error))
            # A boundary: one execution that cannot be driven now must not be forgotten without a word.
            except Exception as error:
                _log.exception("parked_call_unwatched", error, execution=self._record.execution_id)
            await asyncio.sleep(POLL_SECONDS)

    async def _renew(self) -> bool:
        """Whether the lease is ours still."""
        renewed = await self._open_calls.renewed(self._lease)
        if renewed is not None:
            self._lease = renewed
        return renewed is not None
