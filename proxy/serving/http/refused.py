"""Callers who are refused, in the log: who, where and why, in so many lines a minute and no more.

Rules
- Logged are 401, 403, 421 and 429. Other refusals are mistakes of a caller that was let in; at level debug every
  request has a line.
- Neither path nor query nor anything of a credential is in a line (T34).
- An attacker must not fill the disk: of one status at most `LINES` a minute are written, of one address `PER_ADDRESS`.
  What was not written is counted, and said in one line when the minute is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.principal import Principal
from proxy.telemetry import Logger

LOGGED: Final = frozenset({401, 403, 421, 429})
LINES: Final = 20
PER_ADDRESS: Final = 5
MINUTE_SECONDS: Final = 60.0
_REASON_LENGTH: Final = 300
_ADDRESSES: Final = 1000
_log = Logger("access")
Later = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds, as the event loop does."""


@dataclass(frozen=True, slots=True)
class RefusedCaller:
    """`route` is one of a few labels. `principal` is None for whoever is not known."""

    status: int
    reason: str
    route: str
    ip: str = ""
    principal: Principal | None = None
    request_id: str = ""


def _on_the_loop(seconds: float, tell: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, tell)


class RefusalLog:
    """One for the process. Minutes begin with a refusal and end by themselves."""

    def __init__(self, later: Later = _on_the_loop) -> None:
        self._later = later
        self._counting = False
        self._by_status: Counter[int] = Counter()
        self._by_address: Counter[str] = Counter()
        self._left_out: Counter[int] = Counter()

    def note(self, refused: RefusedCaller) -> None:
        """Log it, or count it. Never waits."""
        if not self._counting:
            self._counting = True
            self._later(MINUTE_SECONDS, self.tell_rest)
        if not self._has_room(refused):
            self._left_out[refused.status] += 1
            return
        who = refused.principal
        fields = {
            "status": refused.status,
            "route": refused.route,
            "ip": refused.ip,
            "workspace": who.workspace_id if who else None,
            "account": who.account_id if who else None,
            "request_id": refused.request_id,
            "reason": refused.reason[:_REASON_LENGTH],
        }
        _log.info("caller_refused", **{name: value for name, value in fields.items() if value})

    def tell_rest(self) -> None:
        """The minute is over, or the process ends: say what was not written."""
        left_out, addresses = self._left_out, len(self._by_address)
        if left_out:
            by_status = {f"status_{status}": count for status, count in sorted(left_out.items())}
            _log.warning(
                "callers_refused_unlogged",
                count=left_out.total(),
                **by_status,
                addresses=f"{_ADDRESSES} or more" if addresses >= _ADDRESSES else addresses,
                seconds=MINUTE_SECONDS,
                see="executor_requests_total{status}, audit",
            )
        self._counting = False
        self._by_status, self._by_address, self._left_out = Counter(), Counter(), Counter()

    def _has_room(self, refused: RefusedCaller) -> bool:
        """An address, or an account where no address is known, that comes too often takes no line from others."""
        who = refused.ip or (refused.principal.account if refused.principal else "")
        if who in self._by_address or len(self._by_address) < _ADDRESSES:
            self._by_address[who] += 1
            if self._by_address[who] > PER_ADDRESS:
                return False
        self._by_status[refused.status] += 1
        return self._by_status[refused.status] <= LINES
