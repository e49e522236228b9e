"""From a valid config to a generation that can serve: pure assembly around `Connections.open`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from integrations.base import Toolset, Upstream
from integrations.openapi import OpenApiUpstream
from policies import Condition, Layer, PolicySet, Rule, compile_policies
from proxy.app.health import health_problems
from proxy.app.known_tools import known_tools
from proxy.app.workspace_overlay import WorkspaceOverlay
from proxy.catalog import Catalog, CatalogConnection
from proxy.config import Config, LoadedConfig
from proxy.config.callers import full_names
from proxy.config.model import WorkspaceConfig
from proxy.config.packs import PackUse, rules_of
from proxy.config.policy import ConditionConfig, RuleConfig
from proxy.config.tool_report import ToolReport, tool_report
from proxy.connections import OpenConnection, Opened
from proxy.connections.sources import LoadedSource
from proxy.lock.state import LockState
from proxy.principal import DEFAULT_WORKSPACE
from proxy.workspace import Generation, IntegrationDefault, Workspace

SIGN_IN_FIRST: Final = "its tools appear once somebody signs in: any call to it asks for that"

_NO_OVERLAYS: Final[Mapping[str, WorkspaceOverlay]] = MappingProxyType({})


def build_generation(
    loaded: LoadedConfig,
    opened: Opened,
    number: int,
    overlays: Mapping[str, WorkspaceOverlay] = _NO_OVERLAYS,
    lock: LockState | None = None,
    *,
    with_report: bool = True,
) -> Generation:
    """One immutable generation: every workspace with its catalog and compiled policies. `overlays` are what was
    registered in workspaces at run time. `lock` is the state of its tools, which takes too long to be made here.
    Without `with_report` nobody is told what its tools say about the config."""
    config = loaded.config
    assert config is not None, "only a valid config is built"
    configured = config.workspaces or {DEFAULT_WORKSPACE: WorkspaceConfig()}
    workspaces = {
        name: _workspace(
            name, one, loaded, config, opened, number, overlays.get(name) or WorkspaceOverlay(), lock
        )
        for name, one in configured.items()
    }
    registered = [one for overlay in overlays.values() for one in overlay.opened.connections.values()]
    report = _report(loaded, opened) if with_report else ToolReport()
    connections = (*opened.connections.values(), *registered)
    return Generation(number, loaded.sha256, config, workspaces, connections, report, lock)


def _report(loaded: LoadedConfig, opened: Opened) -> ToolReport:
    return tool_report(loaded, known_tools(opened)).with_wrong(health_problems(loaded, opened))


def _workspace(
    name: str,
    workspace: WorkspaceConfig,
    loaded: LoadedConfig,
    config: Config,
    opened: Opened,
    number: int,
    overlay: WorkspaceOverlay,
    lock: LockState | None,
) -> Workspace:
    seen, off = workspace.integrations, overlay.disconnected
    connections = {
        prefix: one.disconnected() if prefix in off else one
        for prefix, one in opened.connections.items()
        if seen is None or one.integration in seen
    } | dict(overlay.opened.connections)
    sources = {**opened.sources, **overlay.opened.sources}
    return Workspace(
        id=name,
        name=workspace.name or name,
        catalog=Catalog(
            [_listed(one, sources, lock) for one in connections.values()],
            sha256=loaded.sha256 + (lock.revision if lock is not None else ""),
        ),
        policies=policy_set(loaded, config, name, workspace),
        connections=connections,
        defaults={**_defaults(loaded, config), **_registered_defaults(overlay)},
        elicitation_mode=workspace.elicitation.mode or config.elicitation.mode,
        generation=number,
        sha256=loaded.sha256,
        declared=config.integrations,
        lock=lock,
    )


def _listed(
    connection: OpenConnection, sources: Mapping[str, LoadedSource], lock: LockState | None
) -> CatalogConnection:
    source = sources.get(connection.prefix)
    ready = connection.upstream is not None and source is not None
    status = connection.status
    title = connection.title
    if lock is not None and source is not None and title == getattr(source.toolset, "title", None):
        title = lock.title(connection.prefix, title)
    return CatalogConnection(
        integration=connection.integration,
        owner=connection.owner,
        connection=connection.name,
        kind=connection.kind,
        title=title,
        status=status["status"],
        toolset=_shown(connection.upstream, source) if ready and source else None,
        index=source.index if ready and source else None,
        error=status.get("error") or (SIGN_IN_FIRST if connection.begins_with_sign_in else None),
    )


def _shown(upstream: Upstream | None, source: LoadedSource) -> Toolset | None:
    """What an OpenAPI connection supplies itself is not asked of its callers."""
    return upstream.toolset if isinstance(upstream, OpenApiUpstream) else source.toolset


def _defaults(loaded: LoadedConfig, config: Config) -> Mapping[str, IntegrationDefault]:
    return {
        name: IntegrationDefault(
            one.approve_by_default, _where(loaded, f"integrations.{name}.approve_by_default")
        )
        for name, one in config.integrations.items()
    }


def _registered_defaults(overlay: WorkspaceOverlay) -> Mapping[str, IntegrationDefault]:
    """As for servers of files that say nothing about it."""
    return {name: IntegrationDefault("reads", origin) for name, origin in overlay.integrations.items()}


def policy_set(loaded: LoadedConfig, config: Config, name: str, workspace: WorkspaceConfig) -> PolicySet:
    """Two layers, top level first. A rule without an id is called by its place (`policies[3]`)."""
    own = f"workspaces.{name}.policies"
    layers = [Layer("policies", _rules(loaded, "policies", config.policies))]
    if workspace.policies:
        layers.append(Layer(own, _rules(loaded, own, workspace.policies)))
    return compile_policies(layers)


def _rules(loaded: LoadedConfig, path: str, entries: Sequence[RuleConfig | PackUse]) -> tuple[Rule, ...]:
    return tuple(_rule(loaded, f"{path}[{index}]", rule) for index, rule in rules_of(entries))


def _rule(loaded: LoadedConfig, path: str, rule: RuleConfig) -> Rule:
    return Rule(
        id=rule.id or path,
        pattern=rule.pattern,
        action=rule.action,
        principals=full_names(loaded.config.auth if loaded.config else None, rule.principals or ()),
        when={argument: _condition(one) for argument, one in rule.when.items()},
        risk=frozenset(rule.risk or ()),
        approver=rule.approver,
        reason=rule.reason,
        disclose=rule.disclose,
        source=_where(loaded, path),
    )


def _condition(condition: ConditionConfig) -> Condition:
    return Condition(**{name: getattr(condition, name) for name in condition.model_fields_set})


def _where(loaded: LoadedConfig, path: str) -> str:
    place = loaded.location(path)
    return f"{place.file}:{place.line}"
