"""An MCP server as other programs declare it, as an integration with its connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.authoring.draft import Draft, YamlEntry
from proxy.authoring.values import Origin, bare_url, command_line, credential, taken

_TRANSPORTS: Final = {
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "streamablehttp": "streamable-http",
    "streamable_http": "streamable-http",
    "sse": "sse",
}


@dataclass(slots=True)
class ForeignServer:
    """What is understood of a foreign entry; `auth` are parts that are ready. A server has a command or a URL."""

    name: str
    place: str
    command: list[str] = field(default_factory=list)
    environment: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    transport: str = ""
    oauth: YamlEntry | bool | None = None
    enabled: bool = True
    timeout_ms: int | None = None
    auth: list[YamlEntry] = field(default_factory=list)


def add_server(draft: Draft, server: ForeignServer) -> None:
    """Put the server into the draft, or say in `left` why it is not there."""
    if server.command and server.url:
        draft.left.append(f"{server.place}: has a command and a URL; the command is left out")
        server.command = []
    if server.url:
        _add_remote(draft, server)
    elif server.command:
        _add_local(draft, server)
    else:
        draft.left.append(f"{server.place}: has neither a command nor a URL")


def _add_local(draft: Draft, server: ForeignServer) -> None:
    origin = Origin(server.name, server.place)
    environment = texts(draft, origin, server.environment)
    command = command_line(draft, origin, server.command, environment)
    entry: YamlEntry = {"kind": "mcp", "type": "local", "command": command}
    if environment:
        entry["environment"] = environment
    if server.cwd and server.cwd not in (".", "${workspaceFolder}", "${cwd}"):
        if "${" in server.cwd:
            draft.left.append(f"{server.place}: the working directory {server.cwd}; write `cwd` by hand")
        else:
            entry["cwd"] = server.cwd
    draft.add(server.name, {**entry, **_common(server)}, {}, server.place)


def _add_remote(draft: Draft, server: ForeignServer) -> None:
    origin = Origin(server.name, server.place)
    found = bare_url(draft, origin, server.url)
    if found is None:
        draft.left.append(
            f"{server.place}: its URL has a variable inside; a URL is written down, or {{env: NAME}}"
        )
        return
    url, auth = found
    headers = {}
    for name, value in server.headers.items():
        if name.lower() == "authorization" and isinstance(value, str):
            one = credential(draft, origin, name, value)
            auth += [one] if one is not None else []
        else:
            headers[name] = value
    entry: YamlEntry = {"kind": "mcp", "type": "remote", "url": url}
    shown = texts(draft, origin, headers)
    if shown:
        entry["headers"] = shown
    transport = _TRANSPORTS.get(server.transport.lower())
    if transport:
        entry["transport"] = transport
    if server.oauth is not None:
        entry["oauth"] = server.oauth
    draft.add(server.name, {**entry, **_common(server)}, with_auth([*server.auth, *auth]), server.place)


def _common(server: ForeignServer) -> YamlEntry:
    found: YamlEntry = {} if server.enabled else {"enabled": False}
    return found if server.timeout_ms is None else {**found, "timeout": server.timeout_ms}


def with_auth(parts: list[YamlEntry]) -> YamlEntry:
    """The connection that sends these credentials."""
    if not parts:
        return {}
    return {"auth": parts[0] if len(parts) == 1 else {"kind": "parts", "parts": parts}}


def texts(draft: Draft, origin: Origin, given: Mapping[str, Any]) -> YamlEntry:
    """Variables or headers. Numbers and switches are texts in both."""
    found: YamlEntry = {}
    for name, value in given.items():
        if value is None or isinstance(value, dict | list):
            draft.left.append(f"{origin.place}: `{name}` is no text")
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        said = taken(draft, origin, name, text)
        if said is not None:
            found[name] = said
    return found


def words_of(value: Any) -> list[str]:
    """A list of texts, or nothing."""
    return [str(one) for one in value] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or an empty one."""
    return value if isinstance(value, dict) else {}
