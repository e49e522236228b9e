"""What calls tell audit and metrics, and what they ask of rate limits. Values and small protocols only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from policies import Decision
from proxy.principal import Principal


@dataclass(frozen=True, slots=True)
class CallContext:
    """Where a call comes from. `seq` counts the calls of one execution from 0."""

    execution_id: str = ""
    session_id: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class CallReport:
    """One inner call that is over. `path` is as the code wrote it, `address` what it meant (None: no such tool).

    `code` is None for a call that went well. `integration` is "system" for system tools, "" when nothing was found.
    `arguments` are the canonical bytes, once they are known; `definition` is the digest of the toolset that the tool is
    from; `result_bytes` the size of the envelope.
    """

    context: CallContext
    principal: Principal
    path: str
    address: str | None
    integration: str
    arguments_digest: str | None
    decision: Decision | None
    code: str | None
    milliseconds: float
    generation: int
    arguments: bytes | None = None
    definition: str | None = None
    result_bytes: int | None = None


OnCall = Callable[[CallReport], None]


@dataclass(frozen=True, slots=True)
class CallSubject:
    """What a rate limit on tool calls may be counted by."""

    principal: Principal
    session_id: str | None
    integration: str
    connection: str
    address: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that is used up: its name in the config, and when to come back."""

    name: str
    retry_after_ms: int


class CallLimiter(Protocol):
    """Asked once for every call that policies let through, just before it is sent."""

    async def admit(self, subject: CallSubject) -> Refusal | None:
        """Count the call, waiting where a limit says so; None lets it through. Never raises."""
        ...


class NoLimits:
    """The limiter of a config without limits on tool calls."""

    async def admit(self, subject: CallSubject) -> Refusal | None:
        return None
