"""What a swap changed for callers: tools that came and went, and permissions that became wider or narrower.

Compared per workspace for an unnamed caller and unknown arguments; `executor diff` compares in full.
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations.base import ToolDefinition
from policies import Caller
from proxy.catalog import CatalogTool
from proxy.reload import Effects
from proxy.workspace import Generation, Workspace

_NOBODY = Caller()


_Seen = dict[tuple[str, str], tuple[ToolDefinition, tuple[int, int]]]
_Key = tuple[object, ...]


class Comparison:
    """Compares a generation with the one that serves. What was found out about the newest one is kept: it is what the
    next one is compared with, and to decide on every tool takes a third of a reload. Used by one thread at a time."""

    def __init__(self) -> None:
        self._kept: tuple[_Key, _Seen] | None = None

    def effects_of(self, old: Generation | None, new: Generation) -> Effects:
        """Counts over all workspaces. At the first start everything is added."""
        before = self._tools(old) if old is not None else {}
        after = self._tools(new)
        self._kept = _key(new), after
        return _effects(before, after)

    def _tools(self, generation: Generation) -> _Seen:
        if self._kept is not None and self._kept[0] == _key(generation):
            return self._kept[1]
        return _tools(generation)


def _effects(before: _Seen, after: _Seen) -> Effects:
    shared = before.keys() & after.keys()
    return Effects(
        added=len(after.keys() - before.keys()),
        removed=len(before.keys() - after.keys()),
        changed=sum(before[key][0] != after[key][0] for key in shared),
        wider=sum(after[key][1] < before[key][1] for key in shared),
        narrower=sum(after[key][1] > before[key][1] for key in shared),
    )


def _key(generation: Generation) -> _Key:
    """What its tools and the decisions about them depend on; upstreams may change their tools while it serves."""
    faces = [(workspace.id, _face(workspace)) for workspace in generation.workspaces.values()]
    return generation.number, generation.sha256, *faces


def _tools(generation: Generation) -> _Seen:
    return {
        (workspace.id, tool.address): (tool.definition, _strictness(workspace, tool))
        for workspace in generation.workspaces.values()
        for tool in workspace.catalog.all()
    }


def _strictness(workspace: Workspace, tool: CatalogTool) -> tuple[int, int]:
    return workspace.decide(tool, _NOBODY, None).strictness


def gone(old: Generation, new: Generation) -> Iterator[dict[str, str]]:
    """Labels of what left the config: the metrics of these are dropped."""
    yield from ({"connection": name} for name in _labels(old) - _labels(new))
    yield from ({"integration": name} for name in _integrations(old) - _integrations(new))
    yield from ({"limit": name} for name in old.config.rate_limits.keys() - new.config.rate_limits.keys())


def _labels(generation: Generation) -> set[str]:
    return {*generation.config.connections, *(one.label for one in generation.connections)}


def _integrations(generation: Generation) -> set[str]:
    return {*generation.config.integrations, *(one.integration for one in generation.connections)}


def changed_workspaces(old: Generation | None, new: Generation) -> frozenset[str]:
    """Workspaces whose description may read differently: their clients are told."""
    if old is None:
        return frozenset(new.workspaces)
    return frozenset(
        name
        for name in old.workspaces.keys() | new.workspaces.keys()
        if _face(old.workspace(name)) != _face(new.workspace(name))
    )


def _face(workspace: Workspace | None) -> object:
    return None if workspace is None else (workspace.catalog.revision, workspace.sha256)
