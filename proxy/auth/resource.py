"""This server as a protected resource (RFC 9728): what it is called, what it publishes, and its challenge.

Rules:
- Everything comes from `server.public_url`. No header is ever used, so a forged Host changes nothing (T33).
- Each MCP path is a resource of its own, with and without `?workspaceId=`: clients compare what is published with the
  URL that they were given, some of them to the last character. The root stands for all of them.
- The challenge names the metadata by the path and workspace of the request, because some clients believe only that.
- Scopes are all or none: clients that are asked for more in mid-call fail, so one challenge names everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from integrations.base import JsonObject
from proxy.auth.errors import quoted
from proxy.auth.request import WORKSPACE_PARAMETER

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
SERVER_METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
_WORKSPACE = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_WORKSPACE_ID = re.compile(_WORKSPACE)
_RESOURCE_PATH = re.compile(rf"(?:/v1)?/mcp|/{_WORKSPACE}/mcp")


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """`url` is `server.public_url`, without a slash at its end. `scopes` are what every token must have."""

    url: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...] = ()

    def identifier(self, path: str = "", workspace: str | None = None) -> str:
        """The resource identifier of an MCP path ("" is the root)."""
        query = f"?{WORKSPACE_PARAMETER}={workspace}" if workspace else ""
        return f"{self.url}{path}{query}"

    def document(self, path: str, query: Mapping[str, str]) -> JsonObject | None:
        """What is published for `METADATA_PATH` + `path`; None for what is no resource of ours. `path` may begin with
        that of `url`: RFC 9728 section 3.1 puts the well-known part between the host and all of it."""
        asked = query.get("resource")
        if asked is not None:
            named = self._own(asked)
            return self._document(*named) if named is not None and path == "" else None
        path = path.rstrip("/")
        prefix = urlsplit(self.url).path
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path.removeprefix(prefix)
        workspace = query.get(WORKSPACE_PARAMETER) or None
        if path and not _RESOURCE_PATH.fullmatch(path):
            return None
        if workspace is not None and not _WORKSPACE_ID.fullmatch(workspace):
            return None
        return self._document(path, workspace)

    def _own(self, identifier: str) -> tuple[str, str | None] | None:
        """Path and workspace of an identifier that is ours, in exactly our spelling; else None."""
        path, _, query = identifier.removeprefix(self.url).partition("?")
        fields = parse_qsl(query)
        workspace = dict(fields).get(WORKSPACE_PARAMETER)
        known = (path in ("", "/") or _RESOURCE_PATH.fullmatch(path)) and identifier.startswith(self.url)
        if not known or (workspace is not None and not _WORKSPACE_ID.fullmatch(workspace)):
            return None
        own = path if path != "/" else ""
        return (own, workspace) if self.identifier(path, workspace) == identifier else None

    def _document(self, path: str, workspace: str | None) -> JsonObject:
        found: JsonObject = {
            "resource": self.identifier(path, workspace),
            "authorization_servers": list(self.issuers),
            "bearer_methods_supported": ["header"],
        }
        return found | ({"scopes_supported": list(self.scopes)} if self.scopes else {})

    def metadata_url(self, path: str = "", workspace: str | None = None) -> str:
        """Below the path of `url`, because a proxy may send us nothing else; without one, as RFC 9728 section 3.1."""
        query = f"?{WORKSPACE_PARAMETER}={workspace}" if workspace else ""
        return f"{self.url}{METADATA_PATH}{path}{query}"

    def challenge(self, path: str, workspace: str | None, error: str = "", description: str = "") -> str:
        """The value of `WWW-Authenticate`. `error` only for a token that was given (RFC 6750 section 3.1)."""
        known = workspace if workspace and _WORKSPACE_ID.fullmatch(workspace) else None
        at = path if _RESOURCE_PATH.fullmatch(path) else ""
        parts = [f"resource_metadata={quoted(self.metadata_url(at, known))}"]
        if self.scopes:
            parts.append(f"scope={quoted(' '.join(self.scopes))}")
        if error:
            parts += [f"error={quoted(error)}", f"error_description={quoted(description)}"]
        return "Bearer " + ", ".join(parts)

    def audiences(self, path: str, workspace: str) -> frozenset[str]:
        """The values of `aud` that mean this path in this workspace. Other routes are part of every MCP path."""
        paths: Sequence[str] = (path,) if path else ("/mcp", "/v1/mcp", f"/{workspace}/mcp")
        own = [self.identifier(at, space) for at in paths for space in (None, workspace)]
        return frozenset((self.url, f"{self.url}/", *own))
