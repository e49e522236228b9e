"""What the tools that are known say about a config: findings with their places, and what could not be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from proxy.config.diagnostic import Diagnostic
from proxy.config.load import LoadedConfig
from proxy.config.locations import diagnose
from proxy.config.report import as_objects, one_line
from proxy.config.semantics.tools import ToolsAsKnown, check_tools

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ToolReport:
    """`warnings`: each with the integration it is about (empty: all). `unchecked`: by connection, why nothing is
    claimed of patterns that may match its tools."""

    warnings: tuple[tuple[str, Diagnostic], ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(diagnostic for _, diagnostic in self.warnings)

    def with_wrong(self, wrong: Sequence[Diagnostic]) -> ToolReport:
        """The report with errors of integrations, for commands that go on where a server refuses to start."""
        named = tuple((one.path.split(".")[1] if one.path else "", one) for one in wrong)
        return replace(self, warnings=(*named, *self.warnings)) if named else self

    def about(self, integration: str) -> list[str]:
        """Its warnings, one line each."""
        return [one_line(diagnostic) for name, diagnostic in self.warnings if name == integration]

    def as_json(self) -> dict[str, Any]:
        """For `GET /-/status`."""
        return {"warnings": as_objects(self.diagnostics), "not_checked": dict(self.unchecked)}


def tool_report(loaded: LoadedConfig, known: ToolsAsKnown) -> ToolReport:
    """Check a valid config against the tools of its connections."""
    assert loaded.view is not None, "a config that was loaded has a view"
    checked = check_tools(loaded.view, known)
    placed = diagnose(loaded.view.root, [finding for _, finding in checked.findings])
    names = [name for name, _ in checked.findings]
    return ToolReport(tuple(zip(names, placed, strict=True)), checked.unchecked)
