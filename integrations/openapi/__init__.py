"""OpenAPI and Swagger documents as tools.

The names are loaded when first used: `executor validate` imports `integrations.openapi.config` and must not
pay for the JSON Schema library or the HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrations.openapi.credentials import CredentialPlaces
    from integrations.openapi.source import OpenApiOptions, SpecSource, load_toolset
    from integrations.openapi.toolset import OpenApiToolset
    from integrations.openapi.upstream import OpenApiUpstream

_HOMES = {
    "CredentialPlaces": "credentials",
    "OpenApiOptions": "source",
    "OpenApiToolset": "toolset",
    "OpenApiUpstream": "upstream",
    "SpecSource": "source",
    "load_toolset": "source",
}

__all__ = [
    "CredentialPlaces",
    "OpenApiOptions",
    "OpenApiToolset",
    "OpenApiUpstream",
    "SpecSource",
    "load_toolset",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
