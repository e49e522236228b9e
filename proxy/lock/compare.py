"""What of a source differs from its reviewed state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from proxy.lock.definition import Offered, ToolRecord
from proxy.lock.file import LockedSource

DriftKind = Literal["changed", "new", "gone"]
DRIFT_KINDS: Final[tuple[DriftKind, ...]] = get_args(DriftKind)


@dataclass(frozen=True, slots=True)
class Drift:
    """One tool that is not as it was reviewed. `parts`: what of it changed, as far as that is known; `servers` where
    the source as a whole sends calls elsewhere.
    """

    kind: DriftKind
    parts: tuple[str, ...] = ()
    was: ToolRecord | None = None
    now: ToolRecord | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.parts)}" if self.parts else self.kind


@dataclass(frozen=True, slots=True)
class SourceDrift:
    """By tool name, in order. `servers` is set when the source sends its calls elsewhere: before and now."""

    tools: Mapping[str, Drift]
    servers: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    title: tuple[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.tools) or self.servers is not None or self.title is not None

    def names(self, kind: DriftKind) -> list[str]:
        return [name for name, drift in self.tools.items() if drift.kind == kind]


def compare(locked: LockedSource | None, now: Offered) -> SourceDrift:
    """Where calls go is part of what every tool does: with other servers all tools have changed (T26)."""
    before: Mapping[str, ToolRecord] = locked.tools if locked is not None else {}
    moved = locked is not None and locked.servers != now.servers
    tools: dict[str, Drift] = {}
    for name in sorted(before.keys() | now.tools.keys()):
        drift = _drift(before.get(name), now.tools.get(name), moved)
        if drift is not None:
            tools[name] = drift
    if locked is None:
        return SourceDrift(tools)
    servers = (locked.servers, now.servers) if moved else None
    title = (locked.title, now.title) if locked.title != now.title else None
    return SourceDrift(tools, servers, title)


def _drift(was: ToolRecord | None, now: ToolRecord | None, moved: bool) -> Drift | None:
    if was is None:
        return Drift("new", (), None, now)
    if now is None:
        return Drift("gone", (), was, None)
    parts = was.differing(now) if was.sha256 != now.sha256 else ()
    if was.sha256 == now.sha256 and not moved:
        return None
    return Drift("changed", (*parts, *(("servers",) if moved and "servers" not in parts else ())), was, now)
