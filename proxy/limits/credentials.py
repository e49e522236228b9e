"""Bad credentials, counted by address before the next one is looked at.

Rules:
- An address that has shown as many bad credentials as it may is refused without comparing what it shows. The rate is
  that of the config's tightest `per: ip` limit on requests, else the built-in one.
- A credential that was good before is looked at in any case: who shares an address with a guesser, behind a proxy or at
  the same machine, goes on working. It is no way around: a credential that is good no more counts as a bad one.
- Counted in this process, like all that is known before a caller is.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final

from proxy.limits.addresses import address_group
from proxy.limits.limiter import Denied
from proxy.limits.rules import LimitRule, RateWindow

MAX_ADDRESSES: Final = 20_000
MAX_KNOWN: Final = 4096
BUILT_IN: Final = LimitRule("bad-credentials", "ip", "requests", RateWindow(30, 60), built_in=True)


def guessing_rule(rules: Sequence[LimitRule]) -> LimitRule:
    """The rule that counts bad credentials."""
    own = [one for one in rules if one.per == "ip" and one.applies_to == "requests"]
    return min(own, key=lambda one: one.window().count / one.window().period_seconds, default=BUILT_IN)


class BadCredentials:
    """`clock` gives seconds. Digests stand for credentials."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def refuses(self, ip: str, credential: bytes, rules: Sequence[LimitRule]) -> Denied | None:
        """Whether this address has to wait before another credential of it is looked at."""
        times = self._times.get(address_group(ip))
        if not times or credential in self._good:
            return None
        rule = guessing_rule(rules)
        window, now = rule.window(), self._clock()
        while times and times[0] <= now - window.period_seconds:
            times.popleft()
        if len(times) < window.count:
            return None
        wait_ms = int((times[-window.count] + window.period_seconds - now) * 1000) + 1
        return Denied(rule.name, max(1, wait_ms), rule.per, rule=rule)

    def bad(self, ip: str, credential: bytes, rules: Sequence[LimitRule]) -> None:
        self._good.pop(credential, None)
        group = address_group(ip)
        times = self._times.setdefault(group, deque())
        self._times.move_to_end(group)
        times.append(self._clock())
        while len(times) > guessing_rule(rules).window().count:
            times.popleft()
        if len(self._times) > MAX_ADDRESSES:
            self._times.popitem(last=False)

    def good(self, credential: bytes) -> None:
        self._good[credential] = None
        self._good.move_to_end(credential)
        if len(self._good) > MAX_KNOWN:
            self._good.popitem(last=False)
