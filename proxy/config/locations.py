"""From a config path to a diagnostic with its place and excerpt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from proxy.config.diagnostic import Diagnostic, Related
from proxy.config.masking import mask_text, masked_line
from proxy.config.nodes import Path, SourceNode, SourceSpan, find, parse_path, show_path
from proxy.config.source import Flaw, SourceFile

At = Literal["value", "key"]


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where something stands; 1-based."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic before its place is known. `at` chooses the key or the value at `path`."""

    code: str
    path: Path
    message: str
    help: str | None = None
    at: At = "value"
    related: tuple[tuple[str, Path], ...] = ()
    # A key that is not in the merged tree (the second of two equal ones): its source and raw place.
    raw: tuple[SourceFile, tuple[int, int, int, int]] | None = None

    @property
    def is_warning(self) -> bool:
        return self.code.startswith("W")


def location_of(root: SourceNode, path: Sequence[str | int] | str) -> SourceLocation:
    """The place of a config path: its key, or the list item itself. The nearest one above for a default."""
    steps = parse_path(root, path) if isinstance(path, str) else path
    node, span = _locate(root, steps, "key")
    return SourceLocation(node.source.path, span.line, span.column)


def _locate(root: SourceNode, path: Sequence[str | int], at: At) -> tuple[SourceNode, SourceSpan]:
    found = find(root, path)
    if found.through is not None:
        return found.through, found.through.value_span()
    missing = found.depth < len(path)
    node = found.node
    return node, node.key_span() if at == "key" or missing else node.value_span()


def diagnose(root: SourceNode, findings: Sequence[Finding]) -> list[Diagnostic]:
    """Findings with places and masked excerpts. Secrets found by one finding are hidden in all of them."""
    hidden = _hidden(root, findings)
    return [_diagnostic(root, finding, hidden) for finding in findings]


def _hidden(root: SourceNode, findings: Sequence[Finding]) -> dict[str, list[tuple[int, int]]]:
    hidden: dict[str, list[tuple[int, int]]] = {}
    for finding in findings:
        if finding.code in ("E401", "E406") and finding.raw is None:
            node = find(root, finding.path).node
            span = node.value_span()
            hidden.setdefault(node.source.path, []).append((span.line, span.column))
    return hidden


def _diagnostic(root: SourceNode, finding: Finding, hidden: dict[str, list[tuple[int, int]]]) -> Diagnostic:
    if finding.raw is not None:
        source, (line, column, _, end_column) = finding.raw
        span = SourceSpan(line + 1, column + 1, max(end_column, column + 1) + 1)
    else:
        node, span = _locate(root, finding.path, finding.at)
        source = node.source
    return Diagnostic(
        code=finding.code,
        severity="warning" if finding.is_warning else "error",
        message=mask_text(finding.message),
        help=mask_text(finding.help) if finding.help else None,
        path=show_path(finding.path),
        file=source.path,
        line=span.line,
        column=span.column,
        end_line=span.line,
        end_column=span.end_column,
        related=(*_below_alias(root, finding), *(_related(root, item) for item in finding.related)),
        excerpt=masked_line(source, span.line, hidden.get(source.path, [])),
    )


def _related(root: SourceNode, item: tuple[str, Path]) -> Related:
    message, path = item
    node, span = _locate(root, path, "key")
    return Related(message, node.source.path, span.line, span.column, span.line, span.end_column)


def _below_alias(root: SourceNode, finding: Finding) -> tuple[Related, ...]:
    """The place behind an alias, where the mistake itself stands."""
    if finding.raw is not None:
        return ()
    found = find(root, finding.path)
    if found.through is None:
        return ()
    span = found.node.value_span() if finding.at == "value" else found.node.key_span()
    place = (span.line, span.column, span.line, span.end_column)
    return (Related("the value stands here", found.node.source.path, *place),)


def flaw_diagnostic(source: SourceFile, flaw: Flaw) -> Diagnostic:
    """A flaw of the text itself as a diagnostic."""
    line, column = flaw.line + 1, flaw.column + 1
    return Diagnostic(
        code=flaw.code,
        severity="error",
        message=mask_text(flaw.message),
        help=_without_secret(source, line, flaw.help),
        file=source.path,
        line=line,
        column=column,
        end_line=line,
        end_column=column + max(1, flaw.width),
        excerpt=masked_line(source, line, []),
    )


def _without_secret(source: SourceFile, line: int, help: str | None) -> str | None:
    """Advice that quotes the line is only given where the line itself is shown."""
    if help is None or masked_line(source, line, []) == source.line(line):
        return help
    return None if any(part in help for part in source.line(line).split() if len(part) > 3) else help
