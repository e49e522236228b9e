"""The tools of open connections, as the checks of a config want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from integrations.base import Toolset, offered_by, outline_of
from policies import KnownTools
from proxy.config.semantics.tools import ToolsAsKnown
from proxy.connections import OpenConnection, Opened
from proxy.lock.arguments import named_arguments
from proxy.lock.file import LockedSource, LockFile

_NOTHING: Mapping[str, LockedSource] = MappingProxyType({})


def known_tools(
    opened: Opened, absent: Mapping[str, str] | None = None, lock: LockFile | None = None
) -> ToolsAsKnown:
    """`absent`: connections that were not opened, and why. `lock` names the tools of those it knows."""
    toolsets = {prefix: one.toolset for prefix, one in opened.sources.items() if one.toolset is not None}
    unknown = {prefix: _reason(one) for prefix, one in opened.connections.items() if prefix not in toolsets}
    unknown |= absent or {}
    locked = {prefix: one for prefix in unknown if lock is not None and (one := lock.of(prefix)) is not None}
    unknown = {prefix: why for prefix, why in unknown.items() if prefix not in locked}
    return tools_as_known(toolsets, unknown, locked)


def tools_as_known(
    toolsets: Mapping[str, Toolset],
    unknown: Mapping[str, str],
    locked: Mapping[str, LockedSource] = _NOTHING,
) -> ToolsAsKnown:
    """`toolsets`, `locked` connections and, of the others, why they are not known. Nothing is claimed of the arguments
    of tools whose lock was written before it had their names."""
    by_digest: dict[str, Sequence[str]] = {}
    # Connections that share a toolset share one tuple of its names, and so one tree.
    names = {
        prefix: by_digest.setdefault(one.digest, tuple(tool.name for tool in one.tools))
        for prefix, one in toolsets.items()
    }

    names |= {prefix: tuple(one.tools) for prefix, one in locked.items()}

    def schema_of(prefix: str, name: str) -> Mapping[str, Any] | None:
        if prefix in toolsets:
            return outline_of(toolsets[prefix], name).input
        arguments = locked[prefix].tools[name].arguments
        return None if arguments is None else named_arguments(arguments)

    writes: dict[str, Sequence[str]] = {
        prefix: [tool.name for tool in one.tools if tool.risk != "read"] for prefix, one in toolsets.items()
    }
    for prefix, source in locked.items():
        writes[prefix] = [name for name, record in source.tools.items() if record.risk != "read"]
    return ToolsAsKnown(KnownTools(names, unknown), schema_of, _offered(toolsets), writes)


def _offered(toolsets: Mapping[str, Toolset]) -> dict[str, Sequence[str]]:
    """By integration. Connections of one integration may offer different tools (MCP): what any of them offers."""
    offered: dict[str, dict[str, None]] = {}
    for prefix, toolset in toolsets.items():
        offered.setdefault(prefix.partition(".")[0], {}).update(dict.fromkeys(offered_by(toolset)))
    return {name: tuple(names) for name, names in offered.items()}


def _reason(connection: OpenConnection) -> str:
    status = connection.status
    return f"{status['status']}: {status['error']}" if status.get("error") else str(status["status"])
