"""One generation of the config, ready to serve: frozen, built whole, replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations import Integration
from policies import Caller, PolicySet, ToolFacts
from proxy.catalog import Catalog, CatalogTool, Visible
from proxy.config import Config
from proxy.config.tool_report import ToolReport
from proxy.connections import OpenConnection

_CALLERS_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class IntegrationDefault:
    """What an integration says about tools no rule matches, and where it says so (`executor.yaml:48`)."""

    approve_by_default: str
    source: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """What one workspace's callers can see and do. Everything in it is immutable but its memo tables.

    `moved`: by address, what a name stood for when the config was last changed, if that was another tool. `declared`:
    the integrations of the files, by name.
    """

    id: str
    name: str
    catalog: Catalog
    policies: PolicySet
    connections: Mapping[str, OpenConnection]
    defaults: Mapping[str, IntegrationDefault]
    elicitation_mode: str
    generation: int
    sha256: str
    moved: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, Integration] = field(default_factory=dict)
    _facts: dict[str, ToolFacts] = field(default_factory=dict, repr=False, compare=False)
    _visible: dict[Caller, Visible] = field(default_factory=dict, repr=False, compare=False)

    def facts(self, tool: CatalogTool) -> ToolFacts:
        """The tool as policies see it."""
        known = self._facts.get(tool.address)
        if known is None:
            known = self._facts[tool.address] = self._made_facts(tool)
        return known

    def _made_facts(self, tool: CatalogTool) -> ToolFacts:
        default = self.defaults[tool.integration]
        definition = tool.definition
        origin = f"{definition.method} {definition.path}" if definition.method else definition.name
        moved_from = self.moved.get(tool.address, "")
        return ToolFacts(
            address=tool.address,
            integration=tool.integration,
            risk=definition.risk,
            approve_by_default=default.approve_by_default,  # type: ignore[arg-type]
            default_source=default.source,
            origin=definition.stands_for if moved_from else origin,
            moved_from=moved_from,
            runs_code=definition.runs_code,
        )

    def visible_for(self, caller: Caller) -> Visible:
        """A predicate that remembers its answers: a rule set does not change while this generation lives."""
        known = self._visible.get(caller)
        if known is None:
            if len(self._visible) >= _CALLERS_REMEMBERED:
                self._visible.pop(next(iter(self._visible)), None)
            known = self._visible[caller] = self._made_visible(caller)
        return known

    def _made_visible(self, caller: Caller) -> Visible:
        answers: dict[str, bool] = {}

        def visible(tool: CatalogTool) -> bool:
            answer = answers.get(tool.address)
            if answer is None:
                answer = answers[tool.address] = self.policies.visible(self.facts(tool), caller)
            return answer

        return visible


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything one applied config produced. `number` counts applied configs; `sha256` names the effective config.

    `report` is what its tools say about the config, as far as they are known.
    """

    number: int
    sha256: str
    config: Config
    workspaces: Mapping[str, Workspace]
    connections: tuple[OpenConnection, ...]
    report: ToolReport = field(default_factory=ToolReport)

    def workspace(self, workspace_id: str) -> Workspace | None:
        return self.workspaces.get(workspace_id)
