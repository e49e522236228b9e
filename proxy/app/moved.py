"""Addresses whose name came to stand for another tool of the upstream while the config stayed as it was.

A name of an OpenAPI document can do that: operations that collide are refined together, so that when one of them goes
the other gets the plain name. The rules were written for the tool that had the name, so to them it is a new tool: what
a rule approves asks until somebody has changed the config. Approvals and the audit trail tell the tools apart by their
definitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from proxy.telemetry import Logger
from proxy.workspace import Generation, Workspace

_log = Logger("app")


def with_moved_names(old: Generation | None, new: Generation) -> Generation:
    """`new`, with what its names stood for when the config was last changed. Says so in the log once."""
    if old is None or old.sha256 != new.sha256:
        return new
    workspaces = {
        name: replace(one, moved=_moved(was, one)) if (was := old.workspace(name)) is not None else one
        for name, one in new.workspaces.items()
    }
    return replace(new, workspaces=workspaces)


def _moved(old: Workspace, new: Workspace) -> Mapping[str, str]:
    if old.catalog.revision == new.catalog.revision:
        return old.moved
    moved: dict[str, str] = {}
    for tool in new.catalog.all():
        known = old.catalog.find(tool.address, lambda _: True)
        at_first = old.moved.get(tool.address) or getattr(
            getattr(known, "definition", None), "stands_for", None
        )
        now = tool.definition.stands_for
        if at_first is None or at_first == now:
            continue
        moved[tool.address] = at_first
        if tool.address not in old.moved:
            _log.warning("tool_name_moved", workspace=new.id, tool=tool.address, before=at_first, now=now)
    return moved
