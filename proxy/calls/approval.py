"""Between judging and sending: what may be sent, what must be asked, and what an approval is bound to.

An approval is bound to {principal, address, sha256 of the canonical arguments, tool definition, rule, expiry}. The
definition's digest covers the request line, so that a changed server or path voids it too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from integrations.base import JsonObject, PreparedCall
from policies import Decision
from proxy.calls.canonical import canonical, digest
from proxy.calls.outcome import CallContext
from proxy.catalog import CatalogTool
from proxy.connections import OpenConnection
from proxy.principal import Principal
from proxy.workspace import Generation

ApprovalBinding = tuple[str, str, str, str, str, str, str]


@dataclass(slots=True)
class CallTrace:
    """One call: what came in, and what is known about it so far. Its report is made of this."""

    lease: Generation
    principal: Principal
    context: CallContext
    path: str
    address: str | None = None
    integration: str = ""
    decision: Decision | None = None
    arguments: bytes | None = None
    arguments_digest: str | None = None
    definition: str | None = None
    reads: bool = False
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True)
class Ready:
    """May be sent now. `repeatable`: sending it twice does no more than sending it once.

    System tools have no `tool`, and neither has a call of a connection whose tools are unknown until somebody signs in:
    nothing but that is done then. `suggest` is set where the path names none that the caller may know of: nothing is
    sent then, and it says what may have been meant.
    """

    trace: CallTrace
    repeatable: bool
    args: JsonObject
    tool: CatalogTool | None = None
    connection: OpenConnection | None = None
    prepared: PreparedCall | None = None
    suggest: Callable[[], tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """Needs approval. `arguments` are the canonical bytes that would be sent, `definition` the tool's digest."""

    trace: CallTrace
    address: str
    summary: str
    arguments: bytes
    arguments_digest: str
    definition: str
    decision: Decision
    pattern: str | None

    @property
    def binding(self) -> ApprovalBinding:
        """What an approval must have been given for."""
        who, decision = self.trace.principal, self.decision
        return (
            who.workspace_id,
            who.account_id,
            self.address,
            self.arguments_digest,
            self.definition,
            decision.rule_id,
            decision.approver,
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision to accept, as the question that was asked says it. Times are milliseconds since 1970.

    `again`: it was used already, by a process that died before it knew the outcome; its time does not matter any more.
    """

    binding: ApprovalBinding
    expires_at: float
    again: bool = False

    @property
    def address(self) -> str:
        return self.binding[2]

    @property
    def definition(self) -> str:
        return self.binding[4]


def approval_needed(
    trace: CallTrace,
    tool: CatalogTool,
    prepared: PreparedCall,
    canonical_args: bytes,
    decision: Decision,
    pattern: str | None,
) -> ApprovalNeeded:
    """`canonical_args` are the canonical arguments."""
    return ApprovalNeeded(
        trace,
        tool.address,
        prepared.summary,
        canonical_args,
        digest(canonical_args),
        definition_digest(tool, prepared),
        decision,
        pattern,
    )


def definition_digest(tool: CatalogTool, prepared: PreparedCall) -> str:
    """sha256 of what the tool is: its kind of risk, its schemas, and the request that it would make."""
    definition = tool.definition
    schemas = tool.toolset.schemas(definition.name)
    body: dict[str, Any] = {
        "name": definition.name,
        "risk": definition.risk,
        "method": definition.method,
        "path": definition.path,
        "input": schemas.input,
        "request": prepared.summary,
    }
    # Where method and path say it already, approvals given before there was an origin stay valid.
    if definition.origin:
        body["origin"] = definition.origin
    return digest(canonical(body))


def with_key(prepared: PreparedCall, context: CallContext) -> PreparedCall:
    """The call with its own idempotency key where the integration configures a header for one.

    The key is the same for every attempt at this call, in whichever process, and no other call has it.
    """
    if prepared.key_header is None:
        return prepared
    text = f"{context.execution_id}/{context.seq}"
    if context.page is not None:
        text += f"/{context.page}"
    return replace(prepared, idempotency_key=hashlib.sha256(text.encode()).hexdigest()[:32])
