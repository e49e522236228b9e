"""What a rate limit is, and whom it counts: plain frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from proxy.config.model import AppliesTo, OnStoreFailure, Per
from proxy.limits.addresses import address_group
from proxy.principal import Principal

SHORT_WAIT_SECONDS: Final = 2.0
"""What would fit this soon is held back, not refused: a client notices nothing."""


@dataclass(frozen=True, slots=True)
class RateWindow:
    """At most `count` in any `period_seconds` (a whole number of seconds)."""

    count: int
    period_seconds: int


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One named limit. Every limit that fits a request, execution or tool call applies.

    `burst`: how many may come at once, while the mean rate stays `rate`; without it, all of `rate.count` may.
    `pattern` (of tool addresses) is for tool calls. What is over the limit is held back up to `wait_seconds`
    instead of refused. `workspaces` have a rate of their own. `built_in`: no config names it. `as_result`: a
    refused `tools/call` becomes a tool result. `on_store_failure` says what happens while the counters cannot be
    reached.
    """

    name: str
    per: Per
    applies_to: AppliesTo
    rate: RateWindow
    pattern: str | None = None
    burst: int | None = None
    wait_seconds: float = SHORT_WAIT_SECONDS
    on_store_failure: OnStoreFailure = "allow"
    workspaces: Mapping[str, RateWindow] = field(default_factory=dict)
    built_in: bool = False
    as_result: bool = False

    def window(self, workspace: str | None = None) -> RateWindow:
        """What is counted. A burst of 10 at 30/minute is 10 in any 20 seconds, rounded up to whole ones."""
        rate = self.workspaces.get(workspace or "", self.rate)
        if self.burst is None:
            return rate
        seconds = -(-rate.period_seconds * self.burst // rate.count)
        return RateWindow(self.burst, max(1, seconds))


@dataclass(frozen=True, slots=True)
class LimitSubject:
    """Whom a limit may count. Only verified facts: never a header's or an argument's word.

    `user` and `key` come from the principal, `session` from a session whose owner was checked, `ip` from the
    socket or a trusted proxy. `connection` is a prefix (`github.org.main`), `tool` a full address.
    """

    workspace: str | None = None
    user: str | None = None
    key: str | None = None
    session: str | None = None
    integration: str | None = None
    connection: str | None = None
    tool: str | None = None
    ip: str | None = None

    @classmethod
    def of(cls, principal: Principal, *, ip: str | None = None, session: str | None = None) -> LimitSubject:
        """The caller of a request or execution."""
        caller = principal.caller()
        return cls(principal.workspace_id, user=caller.user, key=caller.key, session=session, ip=ip)

    def calling(self, address: str) -> LimitSubject:
        """The same caller, calling the tool at this full address."""
        parts = address.split(".")
        return replace(self, integration=parts[0], connection=".".join(parts[:3]), tool=address)

    def account(self) -> str | None:
        """Who is behind it, as precisely as is known. Callers without a name are told apart by address."""
        if self.user is not None:
            return f"user:{self.user}"
        if self.key is not None:
            return f"key:{self.key}"
        return None if self.ip is None else f"ip:{self.ip}"

    def counted(self, per: Per) -> str | None:
        """The bucket of this subject in a limit `per`; None when it has none, so that no limit applies."""
        return _BUCKETS[per](self)


def owner(subject: LimitSubject) -> str:
    """The account whose share it is."""
    return f"{subject.workspace or ''}|{subject.account() or 'anonymous'}"


def _session(subject: LimitSubject) -> str | None:
    """Outside a session a caller counts as one session, so that leaving the id out is no way around."""
    return f"{owner(subject)}|{subject.session or ''}"


_BUCKETS: Final[Mapping[Per, Callable[[LimitSubject], str | None]]] = MappingProxyType(
    {
        "server": lambda subject: "all",
        "workspace": lambda subject: subject.workspace,
        "user": lambda subject: subject.account() or "anonymous",
        "key": lambda subject: subject.key,
        "session": _session,
        "integration": lambda subject: subject.integration,
        "connection": lambda subject: subject.connection,
        "tool": lambda subject: subject.tool,
        "ip": lambda subject: None if subject.ip is None else address_group(subject.ip),
    }
)
