"""The status of the config: what runs, how the last reload ended, and everyone who is told so.

Every outcome shows in four places: the log, the metrics, the status page and the answer to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from proxy.config.diagnostic import Diagnostic
from proxy.config.report import as_json, one_line
from proxy.config.report_text import excerpt
from proxy.reload.decisions import ReloadOutcome, Running
from proxy.telemetry import Logger, MetricsRegistry

_OTHERS_LOGGED: Final = 9
_WARNINGS_LOGGED: Final = 20
_EXCERPTS: Final = 20
# The line about a rejection travels: replicas tell each other.
_MOST_CHARACTERS: Final = 300


class ReloadStatus:
    """Changed by the reloader only. `clock` is monotonic, `now` is Unix time, both in seconds."""

    def __init__(
        self,
        metrics: MetricsRegistry,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        remind_seconds: float,
    ) -> None:
        self.running: Running | None = None
        self.last: ReloadOutcome | None = None
        self._metrics, self._clock, self._now = metrics, clock, now
        self._remind_seconds = remind_seconds
        self._remind_at: float | None = None
        self._recovered = False
        self._last_at = self._applied_at = 0.0
        self._log = Logger("config")

    @property
    def generation(self) -> int:
        return self.running.generation if self.running else 0

    @property
    def sha256(self) -> str:
        return self.running.sha256 if self.running else ""

    @property
    def in_sync(self) -> bool:
        """Whether the newest content is what runs."""
        return self.running is not None and self.last is not None and self.last.result != "rejected"

    def remind_in(self) -> float | None:
        """Seconds until a rejection is to be said again; None while there is none."""
        return None if self._remind_at is None else max(0.0, self._remind_at - self._clock())

    def note(self, outcome: ReloadOutcome) -> None:
        """Going back to the running content counts as success: the alarm must end."""
        self._recovered = self.last is not None and self.last.result == "rejected" != outcome.result
        self.last, self._last_at = outcome, self._now()
        if outcome.result == "applied":
            self._applied_at = self._last_at
        self._count(outcome)
        self.say()

    def say(self) -> None:
        """Logs how the last reload ended; called again while it is a rejection."""
        outcome = self.last
        if outcome is None:
            return
        rejected = outcome.result == "rejected"
        self._remind_at = self._clock() + self._remind_seconds if rejected else None
        event, fields = outcome.log_line()
        if not rejected:
            # Nobody needs a line for a watch event that changed nothing, unless it ended a rejection.
            quiet = outcome.result == "unchanged" and outcome.trigger == "watch" and not self._recovered
            fields |= {"after_rejection": True} if self._recovered else {}
            (self._log.debug if quiet else self._log.info)(event, **fields)
            if outcome.result == "applied":
                self.warn(outcome.diagnostics)
            return
        self._log.error(event, **fields)
        wrong = [found for found in outcome.diagnostics if found.severity == "error"]
        for found in wrong[1 : 1 + _OTHERS_LOGGED]:
            self._log.error("config error", detail=one_line(found))

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """One line each, as far as anybody reads them; `GET /-/status` has all."""
        for found in diagnostics[:_WARNINGS_LOGGED]:
            self._log.warning("config warning", detail=one_line(found))
        left_out = len(diagnostics) - _WARNINGS_LOGGED
        if left_out > 0:
            self._log.warning("more config warnings", count=left_out, see="executor doctor, GET /-/status")

    def _count(self, outcome: ReloadOutcome) -> None:
        metrics = self._metrics
        metrics.count("executor_config_reloads_total", trigger=outcome.trigger, result=outcome.result)
        metrics.set("executor_config_errors", outcome.errors)
        if outcome.result == "rejected":
            metrics.set("executor_config_last_reload_successful", 0)
            return
        metrics.set("executor_config_last_reload_successful", 1)
        metrics.set("executor_config_last_reload_success_timestamp_seconds", self._last_at)
        metrics.set("executor_config_restart_required", len(outcome.restart_required))
        metrics.only("executor_config_info", 1, sha256=self.sha256, generation=str(self.generation))

    def status(self) -> dict[str, Any]:
        """For `GET /-/status`: references and places, never a secret. Times are Unix seconds."""
        running = self.running
        return {
            "generation": self.generation,
            "sha256": self.sha256,
            "applied_at": self._applied_at,
            "in_sync": self.in_sync,
            "rejected": self._rejected(),
            "restart_required": list(running.restart_required) if running else [],
            "summary": asdict(running.summary) if running else None,
            "last_reload": self._last_reload(),
        }

    def _rejected(self) -> str | None:
        """Why the newest config does not serve, in one bounded line; None when it does."""
        last = self.last
        if last is None or last.result != "rejected":
            return None
        wrong = next((found for found in last.diagnostics if found.severity == "error"), None)
        return (one_line(wrong) if wrong is not None else str(last.error))[:_MOST_CHARACTERS]

    def _last_reload(self) -> dict[str, Any] | None:
        last = self.last
        if last is None:
            return None
        return {
            "result": last.result,
            "trigger": last.trigger,
            "at": self._last_at,
            "elapsed_ms": last.elapsed_ms,
            "errors": last.errors,
            "error": last.error,
            "diagnostics": as_json(last.diagnostics, last.summary)["diagnostics"],
            "excerpts": [excerpt(found, color=False) for found in last.diagnostics[:_EXCERPTS]],
        }
