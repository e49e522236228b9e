"""The executions that somebody may look at: those of the state store, and those that only this process has seen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from integrations.base import JsonObject
from proxy.executions import ExecutionView
from proxy.executions.records import view
from proxy.executions.result import WAITING
from proxy.history.recent import RecentExecutions, SeenExecution
from proxy.history.timeline import Timeline, timeline
from proxy.principal import Principal
from proxy.state import ExecutionQuery, ExecutionRecord, Owner, State

ExecutionState = Literal["running", "paused", "completed", "failed", "other"]
STATES: Final[tuple[ExecutionState, ...]] = get_args(ExecutionState)
"""`other`: it ended in none of these ways: cancelled, timed out, expired."""

STATE_NAMED: Final[Mapping[str, ExecutionState]] = {one: one for one in STATES}

_STORE_PAGE: Final = 50
_WATCHED: Final = 20
_LOOKED_AT: Final = 500
"""How many stored executions are read for one page: with a filter most of them may not be on it."""

_CURSOR: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)_([A-Za-z0-9_-]{1,100})")


@dataclass(frozen=True, slots=True)
class PastExecution:
    """One execution, running or over. `view` is what its record says, `seen` what this process knows of it; one of the
    two is there. `created` is in seconds since 1970, as the store orders by it."""

    id: str
    workspace_id: str
    account_id: str
    session_id: str | None
    status: str
    created: float
    view: ExecutionView | None = None
    seen: SeenExecution | None = None

    @property
    def began_ms(self) -> float:
        """Milliseconds since 1970."""
        return self.created * 1000

    @property
    def state(self) -> ExecutionState:
        if self.status in WAITING or self.status == "paused":
            return "paused"
        return STATE_NAMED.get(self.status, "other")

    @property
    def code(self) -> str:
        if self.view is not None and self.view.code:
            return self.view.code
        return self.seen.code if self.seen is not None else ""

    @property
    def code_sha256(self) -> str:
        if self.view is not None:
            return self.view.code_sha256
        return self.seen.report.code_sha256 if self.seen is not None and self.seen.report is not None else ""

    @property
    def result(self) -> JsonObject | None:
        """The structured result, once it is over."""
        if self.view is not None and self.view.result is not None:
            return self.view.result
        report = self.seen.report if self.seen is not None else None
        return report.result.structured() if report is not None and report.result is not None else None

    @property
    def duration_ms(self) -> float | None:
        """Without its pauses; None while it runs."""
        result = self.result
        found = result.get("durationMs") if result is not None else None
        return float(found) if isinstance(found, int | float) else None

    @property
    def paths(self) -> tuple[str, ...]:
        """What it has called so far, in order."""
        if self.seen is not None and (self.view is None or not self.view.calls):
            return tuple(dict((one.seq, one.path) for one in self.seen.calls).values())
        return tuple(str(one["path"]) for one in self.view.calls) if self.view is not None else ()


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """What must hold; empty: anything. `tool` is part of the address of one of its calls, or of its id."""

    state: ExecutionState | None = None
    account: str = ""
    tool: str = ""

    def matches(self, one: PastExecution) -> bool:
        if self.state not in (None, one.state) or self.account not in ("", one.account_id):
            return False
        return not self.tool or self.tool in one.id or any(self.tool in path for path in one.paths)


@dataclass(frozen=True, slots=True)
class PastPage:
    """Newest first. `cursor` asks for the next page. `cut`: so many stored executions were looked at that the search
    stopped there; the next page goes on."""

    items: tuple[PastExecution, ...] = ()
    cursor: str | None = None
    cut: bool = False


class PastExecutions:
    """`everything`: the caller may see all executions of its workspace, not only its own."""

    def __init__(
        self, state: State, recent: RecentExecutions, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = state
        self._recent = recent
        self._clock = clock

    async def find(
        self, execution_id: str, principal: Principal, *, everything: bool
    ) -> PastExecution | None:
        """None for one that is not there, and for one that this caller may not see. Raises `StateError`."""
        seen = self._recent.find(execution_id, principal.workspace_id)
        record = await self._store.find_execution(execution_id, principal.workspace_id)
        found = _past(record, seen)
        visible = found is not None and (everything or found.account_id == principal.account_id)
        return found if visible else None

    async def page(
        self,
        principal: Principal,
        wanted: ExecutionFilter,
        *,
        everything: bool,
        cursor: str | None = None,
        limit: int = 25,
    ) -> PastPage:
        """A page of what the caller may see. Raises `ValueError` for a cursor that is none, `StateError`."""
        account = None if everything else principal.account_id
        before = _position(cursor)
        seen = self._recent.of(principal.workspace_id, account)
        stored, cut = await self._stored(principal.workspace_id, account, before, wanted, limit + 1)
        known = {one.id for one in stored}
        only_seen = [_of_seen(one) for one in seen if one.id not in known]
        if before is not None:
            only_seen = [one for one in only_seen if _place(one) < before]
        found = [one for one in (*stored, *only_seen) if wanted.matches(one)]
        if cut is not None:
            found = [one for one in found if _place(one) >= cut]
        chosen = await self._first(sorted(found, key=_place, reverse=True), limit + 1)
        more = len(chosen) > limit or cut is not None
        items = tuple(chosen[:limit])
        last = _place(items[-1]) if len(chosen) > limit else cut
        return PastPage(items, f"{last[0]}_{last[1]}" if more and last is not None else None, cut is not None)

    async def _first(self, found: Iterable[PastExecution], enough: int) -> list[PastExecution]:
        """The first of these; without what this process has seen of an execution whose record has another place."""
        chosen: list[PastExecution] = []
        for one in found:
            if len(chosen) == enough:
                break
            if one.view is None and await self._store.find_execution(one.id, one.workspace_id) is not None:
                continue
            chosen.append(one)
        return chosen

    async def _stored(
        self,
        workspace_id: str,
        account: str | None,
        before: tuple[float, str] | None,
        wanted: ExecutionFilter,
        enough: int,
    ) -> tuple[list[PastExecution], tuple[float, str] | None]:
        """Stored executions until `enough` of them match; the place where the reading stopped without having that."""
        last = _stand_in(workspace_id, before) if before is not None else None
        found: list[PastExecution] = []
        matching = 0
        for _ in range(_LOOKED_AT // _STORE_PAGE):
            query = ExecutionQuery(workspace_id, account, before=last, limit=_STORE_PAGE)
            records = await self._store.list_executions(query)
            fresh = [one for one in map(self._of_record, records) if one is not None]
            found += fresh
            matching += sum(map(wanted.matches, fresh))
            if matching >= enough or len(records) < _STORE_PAGE:
                return found, None
            last = records[-1]
        return found, _place(found[-1])

    def _of_record(self, record: ExecutionRecord) -> PastExecution | None:
        return _past(record, self._recent.find(record.execution_id, record.owner.workspace_id))

    def latest(self, principal: Principal, *, everything: bool) -> list[list[str | int]]:
        """What changes when one does that this process has seen lately: its id, its status, how many calls it made."""
        account = None if everything else principal.account_id
        seen = self._recent.of(principal.workspace_id, account)[:_WATCHED]
        return [[one.id, one.status, len(one.calls)] for one in seen]

    def timeline(self, one: PastExecution) -> Timeline:
        """Its runs, pauses and calls, as far as they were seen."""
        running = one.status == "running"
        report = one.seen.report if one.seen is not None else None
        now_ms = self._clock() * 1000
        ended_ms = now_ms if running else one.began_ms + (report.duration_ms if report is not None else 0.0)
        runs = one.view.runs if one.view is not None else ()
        unstored = one.seen.unstored if one.seen is not None and (running or not runs) else []
        return timeline(
            runs,
            unstored,
            _listed(one),
            replica=self._recent.replica if one.seen is not None else "",
            began_ms=one.began_ms,
            ended_ms=max([ended_ms, *(call.began_ms + call.ms for call in unstored)]),
            running=running,
            waits_until_ms=now_ms if one.state == "paused" else None,
        )


def _past(record: ExecutionRecord | None, seen: SeenExecution | None) -> PastExecution | None:
    if record is not None:
        one = view(record)
        owner = record.owner
        return PastExecution(
            one.id,
            owner.workspace_id,
            owner.account_id,
            one.session_id,
            one.status,
            record.created_at,
            one,
            seen,
        )
    return _of_seen(seen) if seen is not None else None


def _of_seen(seen: SeenExecution) -> PastExecution:
    return PastExecution(
        seen.id,
        seen.workspace_id,
        seen.account_id,
        seen.session_id,
        seen.status,
        seen.began_ms / 1000,
        None,
        seen,
    )


def _listed(one: PastExecution) -> Sequence[dict[str, Any]]:
    if one.view is not None:
        return one.view.calls
    result = one.result
    return result.get("calls", []) if result is not None else []


def _place(one: PastExecution) -> tuple[float, str]:
    return one.created, one.id


def _position(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise ValueError("not a cursor of ours")
    return float(found[1]), found[2]


def _stand_in(workspace_id: str, before: tuple[float, str]) -> ExecutionRecord:
    """What a store needs of the last record of the page before."""
    return ExecutionRecord(before[1], Owner(workspace_id, ""), "settled", before[0], before[0], b"")


def lines_of(logs: Sequence[JsonObject]) -> Iterator[tuple[str, str]]:
    """Level and text of the log lines of a structured result."""
    for one in logs:
        yield str(one.get("level", "log")), str(one.get("text", ""))
