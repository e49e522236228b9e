"""What workspaces have beside the files: values, made anew whenever a registration changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from integrations import McpLocal, McpRemote
from proxy.config import Config
from proxy.config.model import WorkspaceConfig
from proxy.connections import Opened
from proxy.overlay.entries import RegisteredServer
from proxy.principal import DEFAULT_WORKSPACE


@dataclass(frozen=True, slots=True)
class WorkspaceOverlay:
    """What one workspace has beside the files. `refused`: why a registration is left out, by its inner name;
    `shadowed` those of them that the files name as well, with the place."""

    servers: Mapping[str, RegisteredServer] = field(default_factory=dict)
    opened: Opened = field(default_factory=lambda: Opened({}, {}, ()))
    integrations: Mapping[str, str] = field(default_factory=dict)
    disconnected: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    shadowed: Mapping[str, str] = field(default_factory=dict)


_EMPTY: Final[Mapping[str, WorkspaceOverlay]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OpenedOverlay:
    """Of all workspaces. `mark` is the store's when it was read, `number` says in which order."""

    workspaces: Mapping[str, WorkspaceOverlay] = field(default_factory=lambda: _EMPTY)
    mark: bytes = b""
    number: int = 0

    def of(self, workspace: str) -> WorkspaceOverlay:
        return self.workspaces.get(workspace) or WorkspaceOverlay()

    @property
    def keys(self) -> tuple[str, ...]:
        """What its connections hold."""
        return tuple(key for one in self.workspaces.values() for key in one.opened.keys)

    @property
    def opened(self) -> tuple[Opened, ...]:
        return tuple(one.opened for one in self.workspaces.values())


def closed_everywhere(config: Config, overlay: OpenedOverlay) -> frozenset[str]:
    """Connections of the files that every workspace which sees them has disconnected: their servers are let go."""
    marked = {prefix for one in overlay.workspaces.values() for prefix in one.disconnected}
    workspaces = config.workspaces or {DEFAULT_WORKSPACE: WorkspaceConfig()}
    return frozenset(
        prefix
        for prefix in marked & config.connections.keys()
        if isinstance(config.integrations[prefix.partition(".")[0]], McpLocal | McpRemote)
        and all(
            prefix in overlay.of(name).disconnected
            for name, one in workspaces.items()
            if one.integrations is None or prefix.partition(".")[0] in one.integrations
        )
    )
