"""What a reload decides and says, without doing any of it: no files, no clock, no metrics here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Protocol

from proxy.config.diagnostic import Diagnostic
from proxy.config.report import Summary, as_json, as_objects, errors_in, one_line
from proxy.live import ReloadResult
from proxy.telemetry import Millis

Trigger = Literal["start", "watch", "sighup", "http"]
ReloadStep = Literal["reject", "keep", "build"]

# Settings that are bound to sockets, watchers and open stores: a reload takes over the rest and names these.
RESTART_ONLY: Final = (
    "server.listen",
    "server.socket_mode",
    "server.reload.watch",
    "server.reload.poll_interval",
    "server.reload.settle",
    "telemetry.metrics.enabled",
    "telemetry.metrics.listen",
    "telemetry.otlp",
    "state",
)
_NAME: Final = re.compile(r"environment variable `?(\w+)")


class Loaded(Protocol):
    """What was read: `proxy.config.LoadedConfig`. `config` is None if and only if there are errors."""

    @property
    def config(self) -> Any: ...
    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]: ...
    @property
    def files(self) -> Sequence[Any]: ...
    @property
    def sha256(self) -> str: ...
    @property
    def raw_digest(self) -> str: ...


class Rejected(Exception):
    """Raised by a build for what only shows there, such as a spec file that cannot be read.

    `error` is set when not the config is to blame but this machine, and a later try may succeed."""

    def __init__(self, diagnostics: Sequence[Diagnostic], error: str | None = None) -> None:
        super().__init__("; ".join(map(one_line, diagnostics)))
        self.diagnostics = tuple(diagnostics)
        self.error = error


@dataclass(frozen=True, slots=True)
class Effects:
    """What a swap changed for callers: numbers of tools, and of permissions that became wider or narrower.

    None where nobody compared. `warnings` are what the new tools show to be wrong with the config.
    """

    added: int | None = None
    removed: int | None = None
    changed: int | None = None
    wider: int | None = None
    narrower: int | None = None
    warnings: tuple[Diagnostic, ...] = ()

    def fields(self) -> dict[str, Any]:
        known: dict[str, Any] = {}
        if self.added is not None:
            known["tools"] = f"+{self.added}-{self.removed or 0}~{self.changed or 0}"
        known |= {name: value for name in ("wider", "narrower") if (value := getattr(self, name)) is not None}
        return known


@dataclass(frozen=True, slots=True)
class Running:
    """The config that serves. `references` is the digest of the files it names."""

    generation: int
    sha256: str
    references: str
    summary: Summary
    restart_required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """How a reload ended. `generation` and `sha256` are of what runs *now*: the old one after a rejection.

    Before the first applied config they are 0 and empty. `error` is set when the config is not to blame.
    """

    result: ReloadResult
    trigger: Trigger
    generation: int
    sha256: str
    diagnostics: tuple[Diagnostic, ...]
    summary: Summary
    restart_required: tuple[str, ...]
    elapsed_ms: int
    effects: Effects = Effects()
    error: str | None = None

    @property
    def errors(self) -> int:
        return errors_in(self.diagnostics) or int(self.error is not None)

    def as_json(self) -> dict[str, Any]:
        """The body of `POST /-/reload`; a rejected config answers like `validate --format json`."""
        if self.result == "rejected":
            failure = {"error": self.error} if self.error else {}
            return {**as_json(self.diagnostics, self.summary), "valid": False, **failure}
        return {
            "generation": self.generation,
            "sha256": self.sha256,
            "changed": self.result == "applied",
            "restart_required": list(self.restart_required),
            "summary": asdict(self.summary),
            "warnings": as_objects(self.diagnostics),
        }

    def log_line(self) -> tuple[str, dict[str, Any]]:
        """Event and fields of its log line, in order. At the start a config that is not to blame was not rejected."""
        if self.trigger == "start" and self.error is not None:
            return "cannot start", {"detail": self.error}
        event = f"config {self.result}"
        if self.result == "rejected":
            return event, self._rejection()
        fields = {"generation": self.generation, "sha256": self.sha256[:8], "trigger": self.trigger}
        tail = {"restart_required": self.restart_required, "in": Millis(self.elapsed_ms)}
        return event, {**fields, **self.effects.fields(), **tail}

    def _rejection(self) -> dict[str, Any]:
        stays = {"generation": self.generation, "stays": True} if self.generation else {}
        wrong = [found for found in self.diagnostics if found.severity == "error"]
        detail = one_line(wrong[0]) if wrong else self.error
        return {**stays, "trigger": self.trigger, "errors": self.errors, "detail": detail}


def judge(loaded: Loaded, references: str, running: Running | None) -> ReloadStep:
    """Reject what is wrong, keep what is the same, build the rest.

    The same means: equal effective config (comments and the cut into files don't count) and equal
    contents of the files it names.
    """
    if loaded.config is None:
        return "reject"
    if running is not None and (loaded.sha256, references) == (running.sha256, running.references):
        return "keep"
    return "build"


def restart_required(started: Any, now: Any) -> tuple[str, ...]:
    """The `RESTART_ONLY` settings in which `now` differs from the config that the process started with."""
    before, after = _settings(started), _settings(now)
    return tuple(name for name in before if before[name] != after.get(name))


def _settings(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in RESTART_ONLY:
        value = config
        for name in path.split("."):
            value = getattr(value, name, None)
        # A section stands for each of its keys.
        fields: Mapping[str, Any] = getattr(type(value), "model_fields", {})
        if fields:
            found |= {f"{path}.{name}": getattr(value, name) for name in fields}
        else:
            found[path] = value
    return found


def summary_of(loaded: Loaded, elapsed_ms: int) -> Summary:
    config = loaded.config
    return Summary(
        files=len(loaded.files),
        integrations=len(config.integrations) if config else 0,
        connections=len(config.connections) if config else 0,
        policies=len(config.policies) if config else 0,
        elapsed_ms=elapsed_ms,
        sha256=loaded.sha256,
    )


def for_a_running_process(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """New environment variables cannot appear in a process that runs: E402 says so instead of "set it"."""
    return tuple(_restart_hint(found) if found.code == "E402" else found for found in diagnostics)


def _restart_hint(found: Diagnostic) -> Diagnostic:
    name = _NAME.search(found.message)
    variable = name[1] if name else "it"
    return replace(
        found, help=f"this process was started without {variable}; restart it, or use {{file: PATH}}"
    )
