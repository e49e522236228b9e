"""The end of a stretch, in the state store: a pause that can be gone on with, or a result that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.executions.answers import cut_off, failed, handed_over, interrupted, shell
from proxy.executions.claim import Claim
from proxy.executions.outcome import ExecutionResult
from proxy.executions.parking import Parking
from proxy.executions.protocol import Pause
from proxy.executions.questions import questions
from proxy.executions.records import Body, packed
from proxy.executions.reports import OnExecution, report_of
from proxy.executions.run import NOT_KEPT, Run
from proxy.executions.stretch import Stretch
from proxy.executions.topics import pauses, tell, topic
from proxy.state import Conflict, ExecutionRecord, LeaseLost, PendingFull, State, StateError, StateUnavailable
from proxy.telemetry import Logger

_log = Logger("executions")
PENDING_CAP: Final = 50
"""Approvals that one account may have waiting at the same time (T13)."""
_TOO_MANY = (
    f"You have {PENDING_CAP} approvals waiting already, so nothing more can be asked. Decide some of them "
    "(`resume`, the approval page or `executor approvals`), then run the code again."
)
ApprovalUrl = Callable[[str, str | None], str | None]
"""From an execution and its session to the page where a person decides; None where there is no page."""


class Closing:
    """Closes stretches. `on_execution` hears of each execution once, at its end: a pause is not one."""

    def __init__(
        self,
        store: State,
        clock: Callable[[], float],
        on_execution: OnExecution | None,
        approval_url: ApprovalUrl,
        parking: Parking,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_execution = on_execution
        self._approval_url = approval_url
        self._parking = parking

    async def pause(self, stretch: Stretch, run: Run, pause: Pause) -> ExecutionResult:
        """Acknowledge a pause: everything it needs is stored before anybody hears of it."""
        claim = stretch.claim
        result = self._paused(stretch, run, pause)
        try:
            await claim.save(_waiting_record(stretch, result), pending_cap=PENDING_CAP)
        except PendingFull:
            result = failed(stretch, run, "PendingLimitError", _TOO_MANY)
            return await self.finish(stretch, run, result)
        except StateUnavailable:
            await claim.release()
            return interrupted(stretch, run)
        except StateError as error:
            _log.exception("pause_failed", error, execution=stretch.job.execution_id)
            result = failed(stretch, run, "StateError", NOT_KEPT)
            self.report(stretch, result, "store")
            return result
        if claim.lease is not None and self._parking.alive(claim.record.execution_id):
            lease, claim.lease, run.parked = claim.lease, None, True
            self._parking.keep(claim.record, lease)
        await claim.release()
        inbox = pauses(claim.record.owner.workspace_id)
        await tell(self._store, inbox, stretch.job.execution_id.encode())
        return result

    def _paused(self, stretch: Stretch, run: Run, pause: Pause) -> ExecutionResult:
        request = stretch.request
        expires = self._clock() + stretch.approval_timeout_ms
        asked = questions(pause.held, expires, stretch.body.asked())
        status = "user_approval_required" if request.mode == "browser" else "waiting_for_interaction"
        return replace(
            shell(stretch, run, status),
            interactions=asked,
            pause=stretch.body.pauses + 1,
            expires_at=min(one.expires_at for one in asked),
            approval_url=self._approval_url(stretch.job.execution_id, request.session_id),
        )

    async def hand_over(self, stretch: Stretch, run: Run) -> ExecutionResult:
        """Leave the execution to whoever takes it next; its journal is stored."""
        claim = stretch.claim
        try:
            body = replace(stretch.body, handed_over=True)
            await claim.save(replace(claim.record, status="running", body=body.encoded()))
        except StateUnavailable:
            pass  # as below
        except StateError as error:
            # It can be gone on with all the same, only that it looks as if this process had crashed.
            _log.exception("hand_over_failed", error, execution=stretch.job.execution_id)
        finally:
            await claim.release()
        await tell(self._store, topic(stretch.job.execution_id))
        return handed_over(stretch, run)

    async def finish(
        self, stretch: Stretch, run: Run, result: ExecutionResult, *, keep_journal: bool = False
    ) -> ExecutionResult:
        """Report the end, and keep what may be asked for again.

        Without its store an execution that others know of does not end: whoever takes it over finds the journal.
        """
        claim, torn = stretch.claim, run.lost == "store"
        if torn and claim.known and not claim.kept:
            return interrupted(stretch, run)  # whoever else has begun it will end it
        if not torn:
            self.report(stretch, result, run.lost)
        try:
            if claim.kept or stretch.request.keep:
                await self.settle(claim, stretch.body, result)
            if not keep_journal:
                await claim.forget()
        except (StateUnavailable, LeaseLost, Conflict):
            # Unless it was torn, the result is right all the same, only it cannot be asked for again.
            if torn and claim.kept:
                return interrupted(stretch, run)
        except StateError as error:
            _log.exception("settle_failed", error, execution=stretch.job.execution_id)
        finally:
            await claim.release()
        if torn:
            self.report(stretch, result, run.lost)
        if claim.kept:
            await tell(self._store, topic(stretch.job.execution_id))
        return result

    async def cut_off(self, stretch: Stretch, run: Run) -> None:
        """The caller went away; what the store knows of must not look as if it were running."""
        result = cut_off(stretch, run)
        self.report(stretch, result, run.lost)
        if stretch.claim.kept:
            await self.settle(stretch.claim, stretch.body, result)
            await stretch.claim.release()

    async def settle(self, claim: Claim, body: Body, result: ExecutionResult) -> ExecutionResult:
        """Keep the result for whoever asks for it."""
        body = replace(body, result=packed(result), interactions=())
        await claim.save(replace(claim.record, status="settled", due_at=None, pending=0, body=body.encoded()))
        return result

    def report(self, stretch: Stretch, result: ExecutionResult, lost: str | None) -> None:
        """Tell audit and metrics."""
        if self._on_execution is not None:
            self._on_execution(report_of(stretch, result, lost))


def _waiting_record(stretch: Stretch, result: ExecutionResult) -> ExecutionRecord:
    """The index record of a pause, until its last question has expired."""
    asked, record = result.interactions, stretch.claim.record
    stored = tuple(one.stored() for one in asked)
    body = replace(stretch.body, interactions=stored, result=packed(result), attempts=0, pauses=result.pause)
    due = max(one.expires_at for one in asked) / 1000
    return replace(
        record,
        status="paused",
        due_at=due,
        expires_at=max(record.expires_at, due + 60),
        pending=len(asked),
        body=body.encoded(),
    )
