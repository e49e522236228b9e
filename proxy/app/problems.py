"""Errors that only show while a config is built, at their place in the files."""

from __future__ import annotations

from proxy.config import Diagnostic, LoadedConfig
from proxy.config.diagnostic import Severity


def problem_at(
    loaded: LoadedConfig,
    path: str,
    code: str,
    message: str,
    help: str | None = None,
    *,
    severity: Severity = "error",
) -> Diagnostic:
    """An error that only shows while a config is built, at the place of a config path."""
    place = loaded.location(path)
    return Diagnostic(
        code, severity, message, help, path=path, file=place.file, line=place.line, column=place.column
    )
