"""Errors that only show while a config is built, at their place in the files."""

from __future__ import annotations

from proxy.config import Diagnostic, LoadedConfig


def problem_at(
    loaded: LoadedConfig, path: str, code: str, message: str, help: str | None = None
) -> Diagnostic:
    """An error that only shows while a config is built, at the place of a config path."""
    place = loaded.location(path)
    return Diagnostic(
        code, "error", message, help, path=path, file=place.file, line=place.line, column=place.column
    )
