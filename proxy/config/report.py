"""Diagnostics as text for people and as the formats machines read.

`FORMATS` is everything `executor validate --format` knows. Every renderer is a pure function; the exit code
does not depend on the format. Nothing here masks secrets: excerpts arrive masked (`Diagnostic.excerpt`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

from proxy.config.diagnostic import Diagnostic
from proxy.config.report_ci import github, gitlab, sarif
from proxy.config.report_text import counted, excerpt, one_line, printable

FORMAT_VERSION: Final = "1"
# Formats that code hosts read: their paths are relative to the repository.
CI_FORMATS: Final = frozenset({"github", "sarif", "gitlab"})


@dataclass(frozen=True, slots=True)
class Summary:
    """What was read. `elapsed_ms` is wall time in milliseconds. `not_checked`: connections whose tools are not known,
    so that nothing was claimed of the patterns that may match them, and why. `sha256` is of the effective config."""

    files: int
    integrations: int
    connections: int
    policies: int
    elapsed_ms: int
    not_checked: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


def render(fmt: str, diagnostics: Sequence[Diagnostic], summary: Summary, *, color: bool) -> str:
    """The whole report, ended by a newline. `color` matters for `text` only. Unknown format: `KeyError`."""
    return FORMATS[fmt](diagnostics, summary, color)


def errors_in(diagnostics: Sequence[Diagnostic]) -> int:
    return sum(diagnostic.severity == "error" for diagnostic in diagnostics)


def as_json(diagnostics: Sequence[Diagnostic], summary: Summary) -> dict[str, Any]:
    """The object of `--format json`; `POST /-/reload` answers a rejected config with the same one."""
    errors = errors_in(diagnostics)
    return {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "errors": errors,
        "warnings": sum(one.severity == "warning" for one in diagnostics),
        "notes": sum(one.severity == "note" for one in diagnostics),
        "diagnostics": as_objects(diagnostics),
        "summary": asdict(summary),
    }


def as_objects(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Diagnostics alone, as they stand in that object."""
    return [_diagnostic_json(diagnostic) for diagnostic in diagnostics]


def _diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    fields = asdict(diagnostic)
    del fields["excerpt"]
    fields["related"] = list(fields["related"])
    return fields


def _text(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    blocks = [excerpt(diagnostic, color) for diagnostic in diagnostics]
    return "\n\n".join([*blocks, "\n".join(_last_lines(diagnostics, summary))]) + "\n"


def _concise(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    return "\n".join([*map(one_line, diagnostics), *_last_lines(diagnostics, summary)]) + "\n"


def _github(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    return "\n".join([*github(diagnostics), *_last_lines(diagnostics, summary)]) + "\n"


def _json(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    return json.dumps(as_json(diagnostics, summary), indent=2) + "\n"


def _sarif(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    return json.dumps(sarif(diagnostics), indent=2) + "\n"


def _gitlab(diagnostics: Sequence[Diagnostic], summary: Summary, color: bool) -> str:
    return json.dumps(gitlab(diagnostics), indent=2) + "\n"


def _last_lines(diagnostics: Sequence[Diagnostic], summary: Summary) -> list[str]:
    unchecked = [
        printable(f"not checked: patterns that may match {prefix} ({why})")
        for prefix, why in summary.not_checked.items()
    ]
    return [*unchecked, _last_line(diagnostics, summary)]


def _last_line(diagnostics: Sequence[Diagnostic], summary: Summary) -> str:
    took = f"({summary.elapsed_ms} ms)"
    if not diagnostics:
        return f"ok: {described(summary)} {took}"
    errors = errors_in(diagnostics)
    notes = sum(one.severity == "note" for one in diagnostics)
    warnings = len(diagnostics) - errors - notes
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    found += f", {counted(notes, 'note')}" if notes else ""
    return f"{found} in {counted(summary.files, 'file')} {took}"


def described(summary: Summary) -> str:
    """`1 file, 5 integrations, 7 connections, 5 policies`."""
    return ", ".join(
        (
            counted(summary.files, "file"),
            counted(summary.integrations, "integration"),
            counted(summary.connections, "connection"),
            counted(summary.policies, "policy", "policies"),
        )
    )


_Renderer = Callable[[Sequence[Diagnostic], Summary, bool], str]

FORMATS: Final[Mapping[str, _Renderer]] = MappingProxyType(
    {
        "text": _text,
        "concise": _concise,
        "json": _json,
        "github": _github,
        "sarif": _sarif,
        "gitlab": _gitlab,
    }
)

__all__ = [
    "CI_FORMATS",
    "FORMATS",
    "Summary",
    "as_json",
    "described",
    "errors_in",
    "one_line",
    "printable",
    "render",
]
