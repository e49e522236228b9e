"""Counting requests, executions and tool calls against the limits that fit them.

Rules:
- All limits that fit apply. None is counted unless all of them have room, so that a refused call costs
  nothing.
- A limit keeps its counter under its own name, whatever its numbers are: a reload neither forgets nor
  forgives.
- What is over a limit waits, only for as long as the rule says, and only so many at a time; what would have to wait
  longer is refused at once.
- While the counters cannot be reached, each limit does what its `on_store_failure` says. They are then tried
  once a second, so that not every request waits for them, and the log says when it begins and when it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from limits import RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from policies import parse_pattern
from proxy.config.model import AppliesTo, Per
from proxy.limits.rules import LimitRule, LimitSubject, RateWindow, owner
from proxy.telemetry import Logger

STORE_TIMEOUT_SECONDS: Final = 1.0
MAX_WAITING: Final = 256
"""How many requests, executions and tool calls one set of limits holds back at a time; more are refused at once."""

MAX_WAITING_PER_ACCOUNT: Final = MAX_WAITING // 2
"""How many of them may be of one account, so that it does not take the place of all."""

_STORE_RETRY_MS: Final = 1_000
_AWAY: Final = "cannot be counted, because the state store does not answer (its `on_store_failure` is `deny`)"
_log = Logger("limits")


@dataclass(frozen=True, slots=True)
class Denied:
    """Over the limit called `name`; `retry_after_ms` (at least 1) is when the next one may fit."""

    name: str
    retry_after_ms: int
    per: Per = "workspace"
    store_failed: bool = False
    rule: LimitRule | None = field(default=None, compare=False)

    @property
    def reason(self) -> str:
        """What follows the limit's name in a sentence: counters that are away are no limit that is used up."""
        return _AWAY if self.store_failed else "is used up"

    @property
    def retry_after_seconds(self) -> int:
        """For the Retry-After header (RFC 9110, section 10.2.3): whole seconds, rounded up."""
        return -(-self.retry_after_ms // 1000)


class _Window(RateLimitItemPerSecond):
    """A window whose counter is named after the limit only, not after its numbers."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(("limits", *map(str, identifiers)))


def _item(window: RateWindow) -> _Window:
    return _Window(window.count, window.period_seconds)


class _CompiledLimit:
    """One rule, ready to count."""

    __slots__ = ("_item", "_own", "pattern", "rule")

    def __init__(self, rule: LimitRule) -> None:
        self.rule = rule
        self.pattern = parse_pattern(rule.pattern) if rule.pattern is not None else None
        self._item = _item(rule.window())
        self._own = {space: _item(rule.window(space)) for space in rule.workspaces}

    def item(self, subject: LimitSubject) -> _Window:
        """The window to count in: workspaces may have their own."""
        return self._own.get(subject.workspace or "", self._item) if self._own else self._item

    def bucket(self, subject: LimitSubject) -> str | None:
        """The bucket to count in, or None when the rule does not fit."""
        if self.pattern is not None and (subject.tool is None or not self.pattern.matches(subject.tool)):
            return None
        return subject.counted(self.rule.per)


@dataclass(frozen=True, slots=True)
class _FittingLimit:
    """A limit that counts a subject: in which window and bucket."""

    rule: LimitRule
    item: _Window
    bucket: str


_Fitting = list[_FittingLimit]


class RateLimiter:
    """The limits of one config, over a storage that outlives it. Raises `policies.PatternError` when made."""

    def __init__(
        self,
        rules: Sequence[LimitRule],
        storage: Storage,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.rules = tuple(rules)
        self._compiled = tuple(map(_CompiledLimit, self.rules))
        self._windows = MovingWindowRateLimiter(storage)
        self._clock = clock
        self._sleep = sleep
        self._waiting: Counter[str] = Counter()
        self._away_until: float | None = None

    async def check(self, applies_to: AppliesTo, subject: LimitSubject) -> Denied | None:
        """Count one, or say which limit refuses it. It may be held back here, see `LimitRule`."""
        fitting = self._fitting(applies_to, subject)
        denied = await self._count(fitting)
        account = owner(subject)
        if denied is None or denied.store_failed or not self._may_wait(account):
            return denied
        self._waiting[account] += 1
        try:
            return await self._wait(fitting, denied)
        finally:
            self._waiting[account] -= 1
            if not self._waiting[account]:
                del self._waiting[account]

    def _may_wait(self, account: str) -> bool:
        return self._waiting.total() < MAX_WAITING and self._waiting[account] < MAX_WAITING_PER_ACCOUNT

    def applying(self, applies_to: AppliesTo, subject: LimitSubject) -> list[LimitRule]:
        """The rules that would count this subject, for explanations."""
        return [one.rule for one in self._fitting(applies_to, subject)]

    def _fitting(self, applies_to: AppliesTo, subject: LimitSubject) -> _Fitting:
        fitting: _Fitting = []
        for limit in self._compiled:
            if limit.rule.applies_to == applies_to:
                bucket = limit.bucket(subject)
                if bucket is not None:
                    fitting.append(_FittingLimit(limit.rule, limit.item(subject), bucket))
        return fitting

    async def _wait(self, fitting: _Fitting, denied: Denied) -> Denied | None:
        """Try again whenever there may be room, for as long as the refusing rule lets it wait."""
        waited = 0.0
        longest = {one.rule.name: one.rule.wait_seconds for one in fitting}
        refused: Denied | None = denied
        while refused is not None:
            pause = refused.retry_after_ms / 1000
            if waited + pause > longest[refused.name]:
                return refused
            await self._sleep(pause)
            waited += pause
            refused = await self._count(fitting)
        return None

    async def _count(self, fitting: _Fitting) -> Denied | None:
        if len(fitting) > 1:
            for one in fitting:
                denied = await self._try_one(one, self._windows.test)
                if denied is not None:
                    return denied
        for one in fitting:
            denied = await self._try_one(one, self._windows.hit)
            if denied is not None:
                return denied
        return None

    async def _try_one(self, limit: _FittingLimit, question: Callable[..., Awaitable[bool]]) -> Denied | None:
        rule, bucket = limit.rule, limit.bucket
        now = self._clock()
        if self._away_until is not None and now < self._away_until:
            return _unreachable(rule)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_SECONDS):
                fits = await question(limit.item, rule.name, bucket)
                stats = None if fits else await self._windows.get_window_stats(limit.item, rule.name, bucket)
        except (StorageError, TimeoutError) as error:
            if self._away_until is None:
                _log.warning("limit_counters_away", cause=type(error).__name__)
            self._away_until = now + _STORE_RETRY_MS / 1000
            return _unreachable(rule)
        if self._away_until is not None:
            self._away_until = None
            _log.info("limit_counters_back")
        if stats is None:
            return None
        wait_ms = int((stats.reset_time - self._clock()) * 1000) + 1
        return Denied(rule.name, max(1, wait_ms), rule.per, rule=rule)


def _unreachable(rule: LimitRule) -> Denied | None:
    if rule.on_store_failure == "allow":
        return None
    return Denied(rule.name, _STORE_RETRY_MS, rule.per, store_failed=True, rule=rule)
