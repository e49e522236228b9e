"""What an inner call ends in, what audit and metrics hear of it, and the failures that only this package makes.

    ToolDefect      a defect of this program, no fault of the call: agents see eight hex digits, the log the cause
    WrongArgument   a system tool was called with an argument of the wrong type: the call throws in agent code

Everything else is a value: `{ok: true, data}` or `{ok: false, error}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from integrations.base import Failure, JsonObject, Problem
from integrations.json_text import MAX_DEPTH, write_json
from policies import Decision
from proxy.calls.catalog_thread import WorkBudget
from proxy.lock.compare import Drift
from proxy.lock.state import reason_of
from proxy.principal import Principal


class ToolDefect(Exception):
    """`correlation_id` is what the log knows it by."""

    def __init__(self, correlation_id: str) -> None:
        super().__init__(f"Internal tool error [{correlation_id}]")
        self.correlation_id = correlation_id


class WrongArgument(TypeError):
    """The text names the argument, what it must be, and what came."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`body` is JSON: the envelope, a system tool's plain value, or `{"throw": {name, message}}`.

    `code` is the failure's code, `internal_error` or `wrong_argument` for what throws, None when `ok`.
    """

    body: bytes
    ok: bool
    code: str | None = None


@dataclass(frozen=True, slots=True)
class PlainValue:
    """What a system tool answers: a value without envelope."""

    value: Any


def failed(failure: Failure) -> Settlement:
    """The settlement of an expected failure."""
    return Settlement(write_json(failure.as_json()), False, failure.code)


def thrown(name: str, message: str, code: str) -> Settlement:
    """A settlement that rejects the call's promise."""
    return Settlement(write_json({"throw": {"name": name, "message": message}}), False, code)


def not_found(path: str, suggestions: Sequence[str]) -> Failure:
    """The same words whether there is no such tool or the caller may not know of it (T9)."""
    shown = path if len(path) <= 200 else f"{path[:200]}..."
    hint = (
        "Did you mean one of details.suggestions?"
        if suggestions
        else "Use tools.search({query}) to find tools, and call one by its whole path: tools.<path>(args)."
    )
    details = {"suggestions": list(suggestions)} if suggestions else {}
    return Failure("tool_not_found", f"There is no tool `{shown}`. {hint}", details=details)


def not_ready(connection: str, status: Mapping[str, Any], note: str | None = None) -> Failure:
    """The connection is there and has no tools, or cannot be used; `status` is the one of this moment, `note` says what
    mends it."""
    word = status["status"]
    if word == "connected":
        message = (
            f"The connection `{connection}` was not ready when this execution began. Run the code again."
        )
        return Failure("connection_not_ready", message, True, details={"status": word})
    missing = word == "needs_secret"
    code = "connection_value_missing" if missing else "connection_not_ready"
    said = status.get("error") or note
    why = f" ({said})" if said else ""
    message = f"The connection `{connection}` is not ready: {word}{why}."
    return Failure(code, message, not missing, details={"status": word})


def tools_known_now(connection: str) -> Failure:
    """The caller has signed in, and the execution began before the tools were known."""
    message = (
        f"You are signed in to `{connection}` now. Nothing was sent: run the code again, with its tools."
    )
    return Failure("connection_not_ready", message, True, details={"status": "connected", "sent": False})


def ambiguous(path: str, addresses: Sequence[str]) -> Failure:
    message = f"`{path[:200]}` could mean {len(addresses)} tools. Use one of the full addresses in details.addresses."
    return Failure("tool_ambiguous", message, details={"addresses": list(addresses)})


def blocked(address: str, decision: Decision) -> Failure:
    """For a tool the caller may know of. `disclose: false` keeps rule and reason out."""
    if not decision.disclose:
        return Failure("tool_blocked", f"`{address}` may not be called with these arguments.")
    reason = f": {decision.reason}" if decision.reason else "."
    details: JsonObject = {"rule": decision.rule_id}
    if decision.reason:
        details["reason"] = decision.reason
    return Failure(
        "tool_blocked", f"`{address}` is blocked by rule `{decision.rule_id}`{reason}", details=details
    )


def approval_required(address: str, decision: Decision, pattern: str | None, advice: str = "") -> Failure:
    """The call was not sent, and nobody can be asked where it came from; `advice` says what to do instead."""
    details: JsonObject = {"rule": decision.rule_id, "source": decision.rule_source}
    details |= {"pattern": pattern} if pattern else {}
    details |= {"reason": decision.reason} if decision.reason else {}
    message = f"`{address}` needs approval and was not sent (rule `{decision.rule_id}`)."
    message += f" {advice}" if advice else ""
    return Failure("approval_required", message, details=details if decision.disclose else {})


def approval_expired(address: str) -> Failure:
    return Failure(
        "approval_expired", f"The approval of `{address}` expired before it was used; nothing was sent."
    )


def definition_changed(address: str) -> Failure:
    """Between approval and dispatch: what was approved is not what would be sent."""
    message = f"`{address}` has changed since it was approved, so the approval is void and nothing was sent."
    return Failure("tool_definition_changed", message)


def withheld(address: str, drift: Drift) -> Failure:
    """The tool is not what somebody has reviewed."""
    if drift.kind == "gone":
        return gone(address)
    message = f"`{address}` is held back: {reason_of(drift)}. Nothing was sent; other tools are not affected."
    return Failure("tool_definition_changed", message, details={"parts": list(drift.parts)})


def gone(address: str) -> Failure:
    return Failure("tool_gone", f"`{address}` was reviewed, and its upstream does not offer it any more.")


def invalid_arguments(
    address: str, problems: Sequence[Problem], code: str = "invalid_tool_arguments"
) -> Failure:
    listed = [{"pointer": one.pointer, "reason": one.reason} for one in problems]
    first = "; ".join(f"{one.pointer or '/'}: {one.reason}" for one in problems[:3])
    message = f"Wrong arguments for `{address}`: {first}. tools.describe.tool({{path}}) shows the types."
    return Failure(code, message, details={"problems": listed})


def too_large(address: str, size: int, limit: int) -> Failure:
    message = (
        f"The result of `{address}` has {size:,} bytes; at most {limit:,} are passed on. Ask for less: a page, "
        "a filter, fewer fields."
    )
    return Failure("upstream_response_too_large", message, details={"bytes": size, "limit": limit})


def too_deep(address: str, *, sent: bool) -> Failure:
    message = (
        f"The result of `{address}` is nested more than {MAX_DEPTH} levels deep, and cannot be passed on"
    )
    if not sent:
        return Failure("upstream_response_too_deep", f"{message}.")
    return Failure(
        "upstream_response_too_deep",
        f"{message}; the call was sent and may have taken effect",
        details={"sent": True},
    )


# ---- reports and limits ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallContext:
    """Where a call comes from. `seq` counts the calls of one execution from 0, `page` those of one pagination.

    `budget` is what the execution may still ask of the catalog; a call that belongs to none has its own.
    """

    execution_id: str = ""
    session_id: str | None = None
    seq: int = 0
    page: int | None = None
    budget: WorkBudget = field(default_factory=WorkBudget, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CallReport:
    """One inner call that is over. `path` is as the code wrote it, `address` what it meant (None: no such tool).

    `code` is None for a call that went well. `integration` is "system" for system tools, "" when nothing was found.
    `arguments` are the canonical bytes, once they are known; `definition` is the digest of the toolset that the tool is
    from; `result_bytes` the size of the envelope. `reads`: the tool is known, and changes nothing.
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
    reads: bool = False


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
class LimitRefusal:
    """A limit that refuses: its name in the config, when to come back, and why."""

    name: str
    retry_after_ms: int
    reason: str = "is used up"


class CallLimiter(Protocol):
    """Asked once for every call that policies let through, just before it is sent."""

    async def admit(self, subject: CallSubject) -> LimitRefusal | None:
        """Count the call, waiting where a limit says so; None lets it through. Never raises."""
        ...


class NoLimits:
    """The limiter of a config without limits on tool calls."""

    async def admit(self, subject: CallSubject) -> LimitRefusal | None:
        return None
