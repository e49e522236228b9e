"""The executions that this process has seen lately: what they called, when, and how each call was judged.

The state store knows executions that paused or changed something; the rest would be forgotten with their last byte.
Here they are kept for people to look at, bounded in number and bytes, oldest dropped first, and gone with the process.

What was seen of an execution that the store does keep goes into its record when a run ends (`run_ended`), so that
another replica, or this one after a restart, can show it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from integrations.base import JsonObject
from proxy.calls import CallReport
from proxy.executions import ExecutionReport, ExecutionStart
from proxy.executions.result import ExecutionResult

EXECUTIONS: Final = 300
BYTES: Final = 16 * 1024 * 1024
"""How much is kept, in characters of code and results; beside them every execution has `CALLS` calls at most."""

CALLS: Final = 500
RECORDED: Final = 200
"""How many calls of one run go into the record of an execution."""

_LARGEST_RESULT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One call as this process saw it: `code` is None when it went well, `action` what was decided about it; `rule`
    and `source` say which rule did. `disclosed` false: the rule is for operators only. Times are milliseconds since
    1970, `ms` a duration."""

    seq: int
    path: str
    began_ms: float
    ms: float
    code: str | None = None
    action: str = ""
    rule: str = ""
    source: str = ""
    disclosed: bool = True
    bytes: int = 0

    def as_json(self) -> JsonObject:
        whole = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in whole.items() if value not in (None, "", 0) or name == "seq"}


@dataclass(slots=True)
class SeenExecution:
    """`calls` in the order in which they ended, `left_out` counts those beyond `CALLS`. `report` is there when it is
    over. `stored`: the calls up to here are in the record of the execution."""

    id: str
    workspace_id: str
    account_id: str
    session_id: str | None
    began_ms: float
    calls: list[SeenCall] = field(default_factory=list)
    left_out: int = 0
    stored: int = 0
    report: ExecutionReport | None = None
    code: str = ""
    size: int = 0

    @property
    def status(self) -> str:
        return self.report.status if self.report is not None else "running"

    @property
    def unstored(self) -> list[SeenCall]:
        return self.calls[self.stored :]


class RecentExecutions:
    """Hears of every call and of every end. Its methods do not block."""

    def __init__(
        self,
        replica: str = "",
        clock: Callable[[], float] = time.time,
        *,
        executions: int = EXECUTIONS,
        total_bytes: int = BYTES,
    ) -> None:
        self.replica = replica
        self._clock = clock
        self._most = executions
        self._total = total_bytes
        self._size = 0
        self._seen: OrderedDict[str, SeenExecution] = OrderedDict()

    # ---- listeners ----------------------------------------------------------------------------------------------
    def begun(self, start: ExecutionStart) -> None:
        """A run begins; the first one of an execution makes it known here."""
        seen = self._of(start.execution_id, start.principal, start.session_id)
        if seen is not None:
            seen.began_ms = start.began_ms
            self._resize(seen, len(start.code))
            seen.code = start.code

    def called(self, report: CallReport) -> None:
        seen = self._of(report.context.execution_id, report.principal, report.context.session_id)
        if seen is None:
            return
        if len(seen.calls) >= CALLS:
            seen.left_out += 1
            return
        seen.calls.append(_seen_call(report, self._clock() * 1000))

    def executed(self, report: ExecutionReport) -> None:
        """The code and the result are kept as they are, as far as they are not too large."""
        seen = self._of(report.execution_id, report.principal, report.session_id)
        if seen is None:
            return
        seen.began_ms = report.began_ms or seen.began_ms
        seen.code = report.code
        seen.report = replace(report, result=_kept(report.result))
        self._resize(seen, len(report.code) + _result_size(report.result))

    def run_ended(self, execution_id: str, began_ms: float, ended_ms: float) -> JsonObject:
        """What the record keeps of the run that ends now; what was told once is not told again."""
        seen = self._seen.get(execution_id)
        run: JsonObject = {"replica": self.replica, "began": began_ms, "ended": ended_ms}
        if seen is None:
            return run
        fresh = seen.unstored
        seen.stored = len(seen.calls)
        left_out = max(0, len(fresh) - RECORDED) + seen.left_out
        more = {"left_out": left_out} if left_out else {}
        return {**run, "calls": [one.as_json() for one in fresh[:RECORDED]], **more}

    # ---- for whoever looks --------------------------------------------------------------------------------------
    def find(self, execution_id: str, workspace_id: str) -> SeenExecution | None:
        seen = self._seen.get(execution_id)
        return seen if seen is not None and seen.workspace_id == workspace_id else None

    def of(self, workspace_id: str, account_id: str | None = None) -> list[SeenExecution]:
        """Newest first; of one account, or of all."""
        found = [
            one
            for one in self._seen.values()
            if one.workspace_id == workspace_id and account_id in (None, one.account_id)
        ]
        return sorted(found, key=lambda one: (one.began_ms, one.id), reverse=True)

    def _of(self, execution_id: str, principal: Any, session_id: str | None) -> SeenExecution | None:
        if not execution_id:
            return None
        seen = self._seen.get(execution_id)
        if seen is None:
            began_ms = self._clock() * 1000
            seen = self._seen[execution_id] = SeenExecution(
                execution_id, principal.workspace_id, principal.account_id, session_id, began_ms
            )
            self._bound()
        return seen

    def _resize(self, seen: SeenExecution, size: int) -> None:
        self._size += size - seen.size
        seen.size = size
        self._bound()

    def _bound(self) -> None:
        while len(self._seen) > 1 and (len(self._seen) > self._most or self._size > self._total):
            _, gone = self._seen.popitem(last=False)
            self._size -= gone.size


def _seen_call(report: CallReport, now_ms: float) -> SeenCall:
    decision = report.decision
    began_ms = round(now_ms - report.milliseconds, 1)
    if decision is None:
        return SeenCall(report.context.seq, report.path, began_ms, report.milliseconds, report.code)
    return SeenCall(
        report.context.seq,
        report.address or report.path,
        began_ms,
        report.milliseconds,
        report.code,
        decision.action,
        decision.rule_id,
        decision.rule_source,
        decision.disclose,
        report.result_bytes or 0,
    )


def read_call(body: Mapping[str, Any]) -> SeenCall:
    """The opposite of `SeenCall.as_json`; what another version wrote beside it is left out."""
    return SeenCall(**{name: body[name] for name in SeenCall.__slots__ if name in body})


def _kept(result: ExecutionResult | None) -> ExecutionResult | None:
    """The result without what pages do not show: its whole text, and content that was emitted."""
    return replace(result, result_text="", emitted=()) if result is not None else None


def _result_size(result: ExecutionResult | None) -> int:
    if result is None:
        return 0
    return min(len(result.result_text), _LARGEST_RESULT) + sum(len(text) for _, text in result.logs)
