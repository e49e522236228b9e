"""What this process did in the last hour, by the minute: for `GET /-/status` and the console. Nothing is kept longer.

Counters live in a ring of one slot a minute, so an hour of any load takes the same memory. Limits and connections are
those that the config names; the number of both is bounded all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from integrations.base import JsonObject
from proxy.calls import CallReport
from proxy.executions import ExecutionReport

MINUTES: Final = 60
MOST_NAMES: Final = 2000
_OK: Final = frozenset({"completed"})
# Calls that ended because somebody has to be asked, or because a rule said no, are no fault of the connection.
_NO_FAULT: Final = frozenset(
    {
        "approval_required",
        "approval_declined",
        "tool_blocked",
        "wrong_argument",
        "invalid_arguments",
        "rate_limited",
    }
)


class MinuteCounts:
    """How often something happened in each of the last minutes. `minute` counts minutes since 1970."""

    __slots__ = ("_counts", "_minute")

    def __init__(self) -> None:
        self._counts = [0] * MINUTES
        self._minute = 0

    def add(self, minute: int) -> None:
        self._turn(minute)
        self._counts[minute % MINUTES] += 1

    def counts(self, minute: int) -> list[int]:
        """The oldest first; the last is the minute that is not over."""
        self._turn(minute)
        at = (minute + 1) % MINUTES
        return self._counts[at:] + self._counts[:at]

    def _turn(self, minute: int) -> None:
        """Empty the slots of the minutes since the last one. A clock that was set back changes nothing."""
        for passed in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            self._counts[passed % MINUTES] = 0
        self._minute = max(self._minute, minute)


@dataclass(slots=True)
class _Hits:
    """One rate limit."""

    counts: MinuteCounts = field(default_factory=MinuteCounts)
    last_at: float = 0.0


@dataclass(slots=True)
class _Calls:
    """The calls of one connection."""

    counts: MinuteCounts = field(default_factory=MinuteCounts)
    failed: MinuteCounts = field(default_factory=MinuteCounts)
    milliseconds: float = 0.0
    last_at: float = 0.0
    last_code: str = ""
    last_failed_at: float = 0.0


class LastHour:
    """Its methods are the callbacks of executions, calls and limits. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._executions, self._failed_executions = MinuteCounts(), MinuteCounts()
        self._calls, self._failed_calls = MinuteCounts(), MinuteCounts()
        self._limits: dict[str, _Hits] = {}
        self._connections: dict[str, _Calls] = {}

    def executed(self, report: ExecutionReport) -> None:
        minute = self._minute()
        self._executions.add(minute)
        if report.status not in _OK:
            self._failed_executions.add(minute)

    def called(self, report: CallReport) -> None:
        """System tools are none of an upstream's calls."""
        if report.integration in ("", "system") or report.address is None:
            return
        minute, failed = self._minute(), report.code is not None and report.code not in _NO_FAULT
        self._calls.add(minute)
        if failed:
            self._failed_calls.add(minute)
        if report.code is None or failed:
            self._count(".".join(report.address.split(".")[:3]), minute, report)

    def limited(self, name: str) -> None:
        """A limit of this name refused somebody."""
        if len(self._limits) < MOST_NAMES or name in self._limits:
            hits = self._limits.setdefault(name, _Hits())
            hits.counts.add(self._minute())
            hits.last_at = self._clock()

    def as_json(self) -> JsonObject:
        """Counts by the minute, the oldest first; connections and limits with something to tell."""
        minute = self._minute()
        return {
            "minutes": MINUTES,
            "executions": self._executions.counts(minute),
            "failed_executions": self._failed_executions.counts(minute),
            "calls": self._calls.counts(minute),
            "failed_calls": self._failed_calls.counts(minute),
            "limits": [
                {"name": name, "hits": hits, "last_at": one.last_at}
                for name, one in sorted(self._limits.items())
                if (hits := sum(one.counts.counts(minute)))
            ],
            "connections": {
                prefix: shown
                for prefix, one in sorted(self._connections.items())
                if (shown := _shown(one, minute))
            },
        }

    def _count(self, prefix: str, minute: int, report: CallReport) -> None:
        if len(self._connections) >= MOST_NAMES and prefix not in self._connections:
            self._connections.pop(min(self._connections, key=lambda name: self._connections[name].last_at))
        one = self._connections.setdefault(prefix, _Calls())
        one.counts.add(minute)
        # Of the present, not of all times: each call moves it a tenth of the way.
        before = one.milliseconds if one.last_at else report.milliseconds
        one.milliseconds = before + (report.milliseconds - before) / 10
        one.last_at = self._clock()
        if report.code is not None:
            one.failed.add(minute)
            one.last_code, one.last_failed_at = report.code, one.last_at

    def _minute(self) -> int:
        return int(self._clock() // 60)


def _shown(one: _Calls, minute: int) -> JsonObject:
    """Nothing for a connection without a call in the last hour."""
    calls = sum(one.counts.counts(minute))
    if not calls:
        return {}
    shown: JsonObject = {
        "calls": calls,
        "failed": sum(one.failed.counts(minute)),
        "milliseconds": round(one.milliseconds),
        "last_at": one.last_at,
    }
    if one.last_code:
        shown |= {"last_error": one.last_code, "last_error_at": one.last_failed_at}
    return shown
