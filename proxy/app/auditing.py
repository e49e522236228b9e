"""The audit trail of a running application: opened as the config says, told of everything that was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from integrations.base import JsonObject
from proxy.audit import (
    ApprovalEvent,
    AuditTrail,
    AuthFailureEvent,
    CallEvent,
    ExecutionEvent,
    FileSink,
    Redaction,
    ReloadEvent,
    ServerEvent,
    StreamSink,
    Who,
)
from proxy.audit.events import AuditEvent, DriftEvent
from proxy.auth import AuthError
from proxy.calls import CallReport
from proxy.calls.scrub import Scrubber
from proxy.config.model import Audit, AuditFile
from proxy.config.report import one_line
from proxy.executions import DecisionReport, ExecutionReport
from proxy.live import Live
from proxy.principal import Principal
from proxy.reload import ReloadOutcome
from proxy.telemetry import MetricsRegistry

_ERRORS_SHOWN = 10
_MESSAGE_LENGTH = 300


class Auditing:
    """Its methods are the callbacks of executions, calls, reloads and the front. `stdout` is where that sink writes.

    `prepare` opens what a config asks for, `adopt` serves with it: a reload that is rejected in between leaves the
    trail as it is.
    """

    def __init__(self, live: Live, metrics: MetricsRegistry, stdout: IO[bytes]) -> None:
        self._live = live
        self._metrics = metrics
        self._stdout = stdout
        self._scrubber = Scrubber()
        self._config = Audit()
        self._rejected = False
        self._trail: AuditTrail | None = None
        self._next: tuple[Audit, AuditTrail | None] | None = None

    @property
    def file(self) -> Path | None:
        """Where lines are written now; None: not to a file."""
        sink = self._config.sink
        return Path(sink.file) if isinstance(sink, AuditFile) else None

    def prepare(self, config: Audit) -> None:
        """Open the sink if it is another one. Raises `AuditError`."""
        self._drop_next()
        same = self._config.sink == config.sink
        self._next = (config, self._trail if same else self._opened(config))

    def adopt(self) -> None:
        """Write to what was prepared last, if anything was."""
        if self._next is None:
            return
        old = self._trail
        (self._config, self._trail), self._next = self._next, None
        if old is not None and old is not self._trail:
            old.close()

    def close(self) -> None:
        """Write what waits. Nothing is recorded afterwards."""
        self._drop_next()
        if self._trail is not None:
            self._trail.close()
            self._trail = None

    def executed(self, report: ExecutionReport) -> None:
        if self._trail is None:
            return
        wanted = self._config.code
        event = ExecutionEvent(
            who_is(report.principal),
            report.execution_id,
            report.session_id,
            report.status,
            report.code_sha256 if wanted != "none" else "",
            report.calls,
            report.duration_ms,
            report.lost,
            report.metadata,
            self._code(report) if wanted == "full" else "",
        )
        self._record(event)

    def called(self, report: CallReport) -> None:
        if self._trail is None:
            return
        event = CallEvent(
            who_is(report.principal),
            report.context.execution_id,
            report.context.session_id,
            report.context.seq,
            report.path,
            report.address,
            report.code is None,
            report.code,
            report.milliseconds,
            self.shown(report),
            _decision(report),
            report.definition,
            report.result_bytes,
        )
        self._record(event)

    def decided(self, report: DecisionReport) -> None:
        event = ApprovalEvent(
            who_is(report.decider),
            report.execution_id,
            report.interaction_id,
            report.action,
            report.via,
            report.owner.account_id,
            report.address,
            report.arguments_digest,
            report.refused,
        )
        self._record(event)

    def reloaded(self, outcome: ReloadOutcome) -> None:
        """Every outcome but the watcher's that changed nothing. Going back to what runs, after a rejection, did."""
        recovered, self._rejected = self._rejected, outcome.result == "rejected"
        if outcome.result == "unchanged" and outcome.trigger == "watch" and not recovered:
            return
        wrong = [one_line(one) for one in outcome.diagnostics if one.severity == "error"][:_ERRORS_SHOWN]
        errors = tuple([outcome.error, *wrong] if outcome.error else wrong)
        self._record(ReloadEvent(outcome.result, outcome.trigger, outcome.generation, errors))

    def drifted(self, events: Sequence[DriftEvent]) -> None:
        for event in events:
            self._record(event)

    def not_admitted(self, error: AuthError, peer: str, workspace: str | None) -> None:
        message = error.message[:_MESSAGE_LENGTH]
        self._record(AuthFailureEvent(error.status, message, peer, workspace, error.account))

    def server_changed(
        self, principal: Principal, action: str, server: str, details: Mapping[str, Any]
    ) -> None:
        self._record(ServerEvent(who_is(principal), action, server, details))

    def shown(self, report: CallReport) -> JsonObject:
        """The arguments of a call as `audit.arguments` wants them, whether or not lines are written.

        Secrets of the connection are cut out even where the config wants arguments in full (T27)."""
        arguments = report.arguments
        if arguments is not None and self._config.arguments in ("redacted", "full"):
            arguments = self._scrubber.clean(arguments, self._secrets(report))
        redaction = Redaction(self._config.arguments, self._config.redact)
        return redaction.shown(arguments, report.arguments_digest)

    def _code(self, report: ExecutionReport) -> str:
        """Without the secrets of any connection of the workspace, which code may have read from a result."""
        workspace = (
            self._live.current.workspace(report.principal.workspace_id) if self._live.serving else None
        )
        connections = workspace.connections.values() if workspace is not None else ()
        known = [secret for one in connections for secret in one.known_secrets()]
        return self._scrubber.clean_text(report.code, known)

    def _secrets(self, report: CallReport) -> list[str]:
        workspace = (
            self._live.current.workspace(report.principal.workspace_id) if self._live.serving else None
        )
        prefix = ".".join((report.address or "").split(".")[:3])
        connection = workspace.connections.get(prefix) if workspace is not None else None
        return connection.known_secrets() if connection is not None else []

    def _record(self, event: AuditEvent) -> None:
        if self._trail is not None:
            self._trail.record(event)

    def _opened(self, config: Audit) -> AuditTrail | None:
        if config.sink == "off":
            return None
        file = config.sink if isinstance(config.sink, AuditFile) else None
        sink = FileSink(Path(file.file)) if file is not None else StreamSink(self._stdout)
        return AuditTrail(sink, self._sha256, outcome=self._written)

    def _sha256(self) -> str:
        return self._live.current.sha256 if self._live.serving else ""

    def _written(self, outcome: str, lines: int) -> None:
        self._metrics.count("executor_audit_lines_total", lines, outcome=outcome)

    def _drop_next(self) -> None:
        if self._next is not None:
            trail, self._next = self._next[1], None
            if trail is not None and trail is not self._trail:
                trail.close()


def who_is(principal: Principal) -> Who:
    """The principal as audit lines show it: never a credential."""
    groups = tuple(sorted(principal.groups))
    return Who(principal.workspace_id, principal.account_id, principal.kind, groups)


def _decision(report: CallReport) -> JsonObject | None:
    decision = report.decision
    if decision is None:
        return None
    said = {
        "action": decision.action,
        "rule": decision.rule_id,
        "source": decision.rule_source,
        "reason": decision.reason,
        "default": decision.default,
        "error": decision.error,
    }
    return {name: value for name, value in said.items() if value not in (None, "")}
