"""What an execution is asked to do, and what it answers: text for the model, `structuredContent` for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Protocol

from integrations.base import JsonObject
from integrations.json_text import read_json
from integrations.lossless import typescript
from proxy.config import ElicitationMode
from proxy.executions.interactions import Interaction, iso
from proxy.executions.output import summaries
from proxy.state import Owner

_NO_METADATA: Final[Mapping[str, Any]] = MappingProxyType({})

TEXT_CHARACTERS: Final = 30_000
_LOG_CHARACTERS: Final = 8_000
_FIELD_CHARACTERS: Final = 2_000
_STRUCTURED_LOG_CHARACTERS: Final = 64 * 1024
_FAILED_SHOWN: Final = 3
_CALLS_LISTED: Final = 1000
EXIT_CODES: Final[Mapping[str, int]] = MappingProxyType(
    {"completed": 0, "failed": 1, "timeout": 124, "canceled": 130}
)
"""`exitCode` by status. Other statuses have none: they wait, or there was nothing to run."""
NOT_BEGUN: Final = frozenset({"NotServing", "StateError"})
"""Names of errors of code that could not be run, or not be kept."""
WAITING: Final = frozenset({"waiting_for_interaction", "user_approval_required"})
_NOT_ERRORS: Final = WAITING | {"completed", "running"}
_UNAVAILABLE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "execution_not_found": (
            "ExecutionNotFound",
            "There is no execution `{id}` that you could go on with.",
        ),
        "execution_expired": (
            "ExecutionExpired",
            "Nobody decided about execution `{id}` in time; it has ended.",
        ),
        "execution_forbidden": ("ExecutionForbidden", "Execution `{id}` belongs to another account."),
        "execution_already_settled": (
            "ExecutionAlreadySettled",
            "Execution `{id}` was decided otherwise before; a decision is final.",
        ),
    }
)
"""Outcomes of `resume` without an execution to continue."""
_RUN_AGAIN: Final = "Run the code again with `execute`."
_LOOK: Final = 'For its result call resume with {{"executionId": "{id}"}} only.'


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """One `execute`. `timeout_ms` is active time; None takes the configured default. `metadata` is only recorded.

    `mode` says who is asked at a pause, which is the caller's business. `keep`: the execution can be looked up
    afterwards even if it never paused and changed nothing. `unattended`: nobody asks for its next result, so it goes on
    by itself once something was decided.
    """

    code: str
    timeout_ms: int | None = None
    runtime_id: str = "quickjs"
    session_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NO_METADATA)
    mode: ElicitationMode = "model"
    keep: bool = False
    unattended: bool = False


class Observer(Protocol):
    """Hears of a running execution, on the event loop; must neither block nor raise."""

    def call_started(self, seq: int, path: str) -> None:
        """An inner call is about to be made."""
        ...

    def call_progress(self, seq: int, path: str, text: str) -> None:
        """Its upstream said how far it is: a line of inert text, a few each second at most."""
        ...

    def call_finished(self, seq: int, path: str, ok: bool, code: str | None, ms: float) -> None:
        """It ended; `code` says how when not `ok`."""
        ...

    def undecided(self, addresses: tuple[str, ...]) -> None:
        """Nothing runs: somebody has to decide about calls of these addresses. Without any, it goes on."""
        ...

    def log(self, level: str, text: str) -> None:
        """One console line. `level` is log, info, warn, error or debug."""
        ...


class Silent:
    """An observer that nobody reads."""

    def call_started(self, seq: int, path: str) -> None:
        """Not told."""

    def call_progress(self, seq: int, path: str, text: str) -> None:
        """Not told."""

    def call_finished(self, seq: int, path: str, ok: bool, code: str | None, ms: float) -> None:
        """Not told."""

    def undecided(self, addresses: tuple[str, ...]) -> None:
        """Not told."""

    def log(self, level: str, text: str) -> None:
        """Not told."""


SILENT: Final = Silent()


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One inner call in the result. `code` also knows `outcome_unknown` (cut off) and `not_sent`."""

    path: str
    ok: bool
    code: str | None
    ms: float

    def as_json(self) -> JsonObject:
        code = {"code": self.code} if self.code is not None else {}
        return {"path": self.path, "ok": self.ok, **code, "ms": round(self.ms, 1)}


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """Why an execution did not complete. `line` and `column` count from 1 in the code as sent; `fields` is what the
    code put into the error beside its name and text (`code`, `cause`)."""

    name: str
    message: str
    stack: str = ""
    line: int | None = None
    column: int | None = None
    fields: Any = None

    def as_json(self) -> JsonObject:
        place = {"line": self.line, "column": self.column} if self.line is not None else {}
        more = {name: value for name, value in (("stack", self.stack), ("fields", self.fields)) if value}
        return {"name": self.name, "message": self.message, **place, **more}

    def summary(self) -> str:
        """Name, message and place in one string."""
        place = f" (line {self.line}, column {self.column})" if self.line is not None else ""
        return f"{self.name}: {self.message}{place}"

    def as_text(self) -> str:
        """The same for the model; a stack says the place."""
        said = f"{self.name}: {self.message}\n{self.stack.rstrip()}" if self.stack else self.summary()
        if not self.fields or self._is_its_fields():
            return said
        return f"{said}\nFields: {typescript(self.fields, _FIELD_CHARACTERS)}"

    def _is_its_fields(self) -> bool:
        """Whether a plain object was thrown whose message is its own JSON."""
        try:
            return self.message.startswith("{") and bool(read_json(self.message) == self.fields)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The answer of `execute` and `resume`.

    `result` counts only when `has_result` (null is a result, nothing is not); it is bounded already, and
    `result_text` is the whole of it as text. `emitted` are MCP content blocks. `pause` counts the execution's pauses,
    from 1.
    """

    execution_id: str
    status: str
    workspace_id: str
    account_id: str
    runtime_id: str = "quickjs"
    session_id: str | None = None
    catalog_revision: str | None = None
    duration_ms: float = 0.0
    has_result: bool = False
    result: Any = None
    result_text: str = ""
    result_ref: str | None = None
    error: ExecutionError | None = None
    recovery: str | None = None
    logs: tuple[tuple[str, str], ...] = ()
    emitted: tuple[JsonObject, ...] = ()
    calls: tuple[CallEntry, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    expires_at_ms: float | None = None
    approval_url: str | None = None
    note: str | None = None
    pause: int = 0

    @property
    def waiting(self) -> bool:
        """Whether it waits for a decision."""
        return self.status in WAITING

    def with_note(self, text: str) -> ExecutionResult:
        """The result with one more note: what was said before is not lost."""
        if self.note is None or text in self.note:
            return replace(self, note=self.note or text)
        return replace(self, note=f"{text}\n{self.note}")

    @property
    def is_error(self) -> bool:
        return self.status not in _NOT_ERRORS

    @property
    def exit_code(self) -> int | None:
        return EXIT_CODES.get(self.status)

    def structured(self) -> JsonObject:
        """`structuredContent`; fits `OUTPUT_SCHEMA`."""
        body: JsonObject = {
            "taskId": self.execution_id,
            "executionId": self.execution_id,
            "status": self.status,
            "runtimeId": self.runtime_id,
            "exitCode": self.exit_code,
            "error": self.error.summary() if self.error is not None else None,
            "errorDetails": self.error.as_json() if self.error is not None else None,
            "logs": bounded_logs(self.logs),
            "emitted": summaries(self.emitted),
            "calls": [call.as_json() for call in self.calls[:_CALLS_LISTED]],
            "durationMs": round(self.duration_ms, 1),
            "workspaceId": self.workspace_id,
            "accountId": self.account_id,
            "sessionId": self.session_id,
            "catalogRevision": self.catalog_revision,
            "recovery": self.recovery,
            "note": self.note,
        }
        body = {name: value for name, value in body.items() if value is not None}
        if self.has_result:
            body["result"] = self.result
        return body | self._waiting_json()

    def _waiting_json(self) -> JsonObject:
        if not self.interactions:
            return {}
        shown = [one.as_json() for one in self.interactions]
        body: JsonObject = {"interaction": shown[0], "interactions": shown}
        if self.expires_at_ms is not None:
            body["expiresAt"] = iso(self.expires_at_ms)
        if self.approval_url is not None:
            body["approvalUrl"] = self.approval_url
        return body

    def content(self) -> list[JsonObject]:
        """MCP content blocks: one text with result and logs, then what was emitted."""
        return [{"type": "text", "text": self.text()}, *self.emitted]

    def text(self) -> str:
        """Result (or error), then the `Logs:` section, at most 30,000 characters."""
        logs = log_section(self.logs)
        room = TEXT_CHARACTERS - len(logs)
        note = f"{self.note}\n\n" if self.note else ""
        return f"{note}{cut(self._main_text(), room - len(note), self.result_ref)}{logs}"

    def _main_text(self) -> str:
        if self.waiting:
            return waiting_text(self)
        if self.error is not None:
            return f"{self.error.as_text()}{failed_before(self.error, self.calls)}"
        return self.result_text if self.has_result else "(no result: use `return`)"


def failed_before(error: ExecutionError, calls: Sequence[CallEntry]) -> str:
    """The calls that failed before code took something for what it was not: most often it is what they did not give."""
    failed = [
        f"{one.path} ({one.code})" for one in calls if not one.ok and one.code not in (None, "not_sent")
    ]
    if error.name != "TypeError" or not failed:
        return ""
    more = f" and {len(failed) - _FAILED_SHOWN} more" if len(failed) > _FAILED_SHOWN else ""
    shown = ", ".join(failed[:_FAILED_SHOWN])
    return f"\nCalls that had failed: {shown}{more}. Branch on `ok` before reading `data`."


def unavailable(status: str, execution_id: str, owner: Owner) -> ExecutionResult:
    """One of the four outcomes without an execution to continue. Three tell the model to run the code again; an
    execution that was decided otherwise has a result, and running it again would only ask for the same."""
    name, message = _UNAVAILABLE[status]
    decided = status == "execution_already_settled"
    text = f"{message} {_LOOK if decided else _RUN_AGAIN}".format(id=execution_id[:64])
    return ExecutionResult(
        execution_id=execution_id,
        status=status,
        workspace_id=owner.workspace_id,
        account_id=owner.account_id,
        error=ExecutionError(name, text),
        recovery=None if decided else "re_execute",
    )


def waiting_text(result: ExecutionResult) -> str:
    """What waits, and what to do about it."""
    count = len(result.interactions)
    asks = "\n\n".join(f"[{one.id}] {one.message}" for one in result.interactions)
    if result.status == "user_approval_required":
        where = f" A person must decide at {result.approval_url}." if result.approval_url else ""
        how = f'{where} Then call resume with {{"executionId": "{result.execution_id}"}}; it waits for the decision.'
    else:
        how = _how_to_decide(result)
    noun = "call needs" if count == 1 else "calls need"
    sent = any(one.kind in ("form", "url", "outcome_unknown") for one in result.interactions)
    unsent = "" if sent else " Nothing was sent for them yet."
    return f"The execution is paused: {count} {noun} a decision.{unsent}{how}\n\n{asks}"


def _how_to_decide(result: ExecutionResult) -> str:
    """What only another person can approve is never offered for acceptance."""
    execution = f'"executionId": "{result.execution_id}"'
    others = [one.id for one in result.interactions if one.approver == "human"]
    if not others:
        return (
            f' Ask the user, then call resume with {{{execution}, "action": "accept"}} or "decline"; name one question '
            'with "interactionId".'
        )
    where = f"at {result.approval_url} or " if result.approval_url else ""
    wait = (
        f"only another person can approve, {where}with `executor approvals`, and you cannot. Tell the user, then call "
        f"resume with {{{execution}}}: it waits for that person."
    )
    if len(others) == len(result.interactions):
        return f' This {wait} To give it up instead, call resume with {{{execution}, "action": "decline"}}.'
    mine = next(one.id for one in result.interactions if one.approver != "human")
    return (
        f" What [{'], ['.join(others)}] ask {wait} About each of the others ask the user, then call resume with "
        f'{{{execution}, "interactionId": "{mine}", "action": ...}}.'
    )


# ---- text that has a limit ---------------------------------------------------------------------------------------
def cut(text: str, room: int, ref: str | None) -> str:
    """At most `room` characters; the mark of a cut says where the rest is."""
    if len(text) <= room:
        return text
    where = f' The whole result: tools.executor.results.read({{ref: "{ref}"}})' if ref else ""
    marker = f"\n... [cut: {len(text):,} characters in all.{where}]"
    return text[: room - len(marker)] + marker


def log_section(logs: Sequence[tuple[str, str]]) -> str:
    """The lines under their heading, at most 8,000 characters; empty without lines."""
    if not logs:
        return ""
    text = "\n".join(f"[{level}] {line}" for level, line in logs)
    if len(text) > _LOG_CHARACTERS:
        marker = f"\n... [cut: {len(logs)} lines, {len(text):,} characters in all]"
        text = text[: _LOG_CHARACTERS - len(marker)] + marker
    return f"\n\nLogs:\n{text}"


def bounded_logs(logs: Sequence[tuple[str, str]]) -> list[JsonObject]:
    """The lines for programs, at most 64 KiB."""
    shown: list[JsonObject] = []
    left = _STRUCTURED_LOG_CHARACTERS
    for number, (level, text) in enumerate(logs):
        # 32 stands for what surrounds a line in JSON, so that a million empty lines are bounded too.
        left -= len(text) + 32
        if left < 0:
            shown.append({"level": "warn", "text": f"... {len(logs) - number} more lines"})
            break
        shown.append({"level": level, "text": text})
    return shown
