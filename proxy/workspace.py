"""One generation of the config, ready to serve: frozen, built whole, replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations import Integration
from policies import Caller, Decision, PolicySet, ToolFacts
from proxy.catalog import Catalog, CatalogTool, Visible
from proxy.config import Config
from proxy.config.tool_report import ToolReport
from proxy.connections import OpenConnection
from proxy.lock.compare import Drift
from proxy.lock.state import LockState

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
    the integrations of the files, by name. `lock`: what the tools were when they were reviewed; None where the config
    does not ask.
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
    lock: LockState | None = None
    _facts: dict[str, ToolFacts] = field(default_factory=dict, repr=False, compare=False)
    _visible: dict[Caller, Visible] = field(default_factory=dict, repr=False, compare=False)

    def decide(self, tool: CatalogTool, caller: Caller, arguments: Mapping[str, Any] | None) -> Decision:
        """The one decision about a call, for the gate and for everybody who explains it: what the lock holds back is
        blocked, and of the rest the policies judge. `arguments` None: not known yet."""
        return self.decide_on(self.facts(tool), caller, arguments)

    def decide_on(self, facts: ToolFacts, caller: Caller, arguments: Mapping[str, Any] | None) -> Decision:
        """The same about a tool of which only the facts are known."""
        prefix, name = _parts_of(facts.address)
        drift = self.lock.withheld(prefix, name) if self.lock is not None else None
        if drift is not None and self.lock is not None:
            return self.lock.decision(prefix, name, drift)
        return self.policies.decide(facts, caller, arguments)

    def withheld(self, tool: CatalogTool) -> Drift | None:
        """How a tool differs from its reviewed state, where that keeps it from being used."""
        return self.lock.withheld(tool.prefix, tool.name) if self.lock is not None else None

    def gone(self, path: str, caller: Caller) -> str | None:
        """The address of a reviewed tool that its upstream does not offer any more, if `path` (in full) names one that
        this caller could have seen."""
        prefix, name = _parts_of(path)
        if self.lock is None or not self.lock.enforced or prefix not in self.connections:
            return None
        facts = self.reviewed(path) if self.lock.gone(prefix, name) is not None else None
        return facts.address if facts is not None and self.policies.visible(facts, caller) else None

    def reviewed(self, address: str) -> ToolFacts | None:
        """The tool as policies saw it when it was reviewed; None where the lock has none of this address."""
        prefix, name = _parts_of(address)
        integration = prefix.partition(".")[0]
        source = self.lock.file.of(prefix) if self.lock is not None else None
        was, default = source.tools.get(name) if source is not None else None, self.defaults.get(integration)
        if was is None or default is None:
            return None
        return ToolFacts(
            f"{prefix}.{name}",
            integration,
            was.risk,
            default.approve_by_default,  # type: ignore[arg-type]
            default.source,
            was.request,
            runs_code=was.runs_code,
        )

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
        risk, runs_code = definition.risk, definition.runs_code
        if self.lock is not None:
            risk, runs_code = self.lock.trusted(tool.prefix, definition)
        return ToolFacts(
            address=tool.address,
            integration=tool.integration,
            risk=risk,
            approve_by_default=default.approve_by_default,  # type: ignore[arg-type]
            default_source=default.source,
            origin=definition.stands_for if moved_from else origin,
            moved_from=moved_from,
            runs_code=runs_code,
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
                answer = self.withheld(tool) is None and self.policies.visible(self.facts(tool), caller)
                answers[tool.address] = answer
            return answer

        return visible


def prefix_of(address: str) -> str:
    """The connection of a tool."""
    return ".".join(address.split(".", 3)[:3])


def _parts_of(address: str) -> tuple[str, str]:
    """Connection and name of a tool."""
    parts = address.split(".")
    return ".".join(parts[:3]), ".".join(parts[3:])


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
    lock: LockState | None = None

    def workspace(self, workspace_id: str) -> Workspace | None:
        return self.workspaces.get(workspace_id)
