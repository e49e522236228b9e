"""Audit lines back from a file: which of them concern somebody, a tool, an execution, a time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

_AGO: Final = re.compile(r"(\d{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line as it stands in the file, and what it says."""

    number: int
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What must hold for a line; None: anything. `tool` is a pattern as in policies, with `*` for any characters.

    `since` and `until` are seconds since 1970, the first included, the second not.
    """

    event: str | None = None
    account: str | None = None
    workspace: str | None = None
    execution: str | None = None
    tool: str | None = None
    code: str | None = None
    since: float | None = None
    until: float | None = None

    def matches(self, record: dict[str, Any]) -> bool:
        who = record.get("who") or {}
        equal = (
            (self.event, record.get("event")),
            (self.account, who.get("account") or record.get("account")),
            (self.workspace, who.get("workspace") or record.get("workspace")),
            (self.execution, record.get("executionId")),
            (self.code, record.get("code")),
        )
        if any(want is not None and want != have for want, have in equal):
            return False
        if self.tool is not None and not fnmatchcase(
            str(record.get("address") or record.get("path") or ""), self.tool
        ):
            return False
        return self._in_time(record.get("time"))

    def _in_time(self, text: object) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            at = datetime.fromisoformat(str(text)).timestamp()
        except ValueError:
            return False
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def find(lines: Iterable[bytes], wanted: AuditFilter) -> Iterator[AuditLine]:
    """The lines that match, in the order of the file. What is no line of an audit trail is passed over."""
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "seq" in record and wanted.matches(record):
            yield AuditLine(number, record)


def moment(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time, a date (its start, UTC), or so long ago: `30m`, `24h`, `7d`. Raises
    `ValueError`."""
    if ago := _AGO.fullmatch(text):
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
