"""`server.public_url` with a path: everything is served below it, if no path of our own begins with it.

A proxy in front may keep that path or strip it, and nothing in a request says which. Both can be served as long as a
request below the path can only be one from a proxy that keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.semantics.view import ConfigView
from proxy.principal import DEFAULT_WORKSPACE

OWN_PATHS: Final = (
    "-",
    ".well-known",
    "api/approvals",
    "api/connections",
    "api/executions",
    "api/health",
    "api/mcp-sessions",
    "api/openapi.json",
    "api/overlay",
    "api/policies",
    "api/sign-ins",
    "api/tools",
    "api/v1",
    "approvals",
    "authorize",
    "connections",
    "console",
    "healthz",
    "login",
    "logout",
    "mcp",
    "metrics",
    "oauth",
    "pages",
    "readyz",
    "register",
    "resume",
    "sign-in",
    "sign-out",
    "token",
    "v1/auth",
    "v1/mcp",
)
"""What the paths of this server begin with, beside `/<workspace>/mcp`."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_HELP: Final = "such as https://tools.example.com/executor"


def check_public_path(view: ConfigView) -> Iterator[Finding]:
    if view.has_lost("server") or view.config.server.public_url is None:
        return
    prefix = urlsplit(view.config.server.public_url).path
    path: Path = ("server", "public_url")
    segments = prefix[1:].split("/") if prefix else []
    if any(not _SEGMENT.fullmatch(one) or one in (".", "..") for one in segments):
        message = f"the path `{prefix}` must be made of letters, digits, `.`, `_`, `~` and `-`"
        yield Finding("E206", path, message, _HELP)
        return
    taken = _taken(segments, view.names("workspaces") or (DEFAULT_WORKSPACE,))
    if taken is not None:
        message = f"nothing can be served below `{prefix}`: Executor's own `{taken}` begins with it"
        yield Finding("E206", path, message, f"choose another path, {_HELP}")


def _taken(segments: list[str], workspaces: Sequence[str]) -> str | None:
    """The path of ours that cannot be told from one below this."""
    if not segments:
        return None
    for own in (*OWN_PATHS, *(f"{name}/mcp" for name in workspaces)):
        parts = own.split("/")
        both = min(len(parts), len(segments))
        if parts[:both] == segments[:both]:
            return f"/{own}"
    return None
