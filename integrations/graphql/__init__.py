"""GraphQL endpoints as tools.

The names are loaded when first used: `executor validate` imports `integrations.graphql.config` and must not
pay for the HTTP client. graphql-core is imported only where text has to be parsed (`parsing`) and in the
child process (`convert`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrations.graphql.source import GraphQlOptions, SchemaSource, load_toolset
    from integrations.graphql.toolset import GraphQlToolset
    from integrations.graphql.upstream import GraphQlUpstream

_HOMES = {
    "GraphQlOptions": "source",
    "GraphQlToolset": "toolset",
    "GraphQlUpstream": "upstream",
    "SchemaSource": "source",
    "load_toolset": "source",
}

__all__ = ["GraphQlOptions", "GraphQlToolset", "GraphQlUpstream", "SchemaSource", "load_toolset"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
