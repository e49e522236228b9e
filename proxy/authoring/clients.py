"""The files in which MCP clients list their servers: Claude, Cursor, VS Code, Windsurf, Zed (`mcpServers`, `servers`,
`context_servers`), and OpenCode (`mcp`)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from proxy.authoring.draft import Draft, YamlEntry, variable_name
from proxy.authoring.servers import ForeignServer, add_server, mapping, words_of

# Told by their place in `left`, with what to do instead.
_ADVICE: Final = {
    "alwaysAllow": "write a policy: {pattern: NAME.*.*.TOOL, action: approve}",
    "autoApprove": "write a policy: {pattern: NAME.*.*.TOOL, action: approve}",
    "disabledTools": "list them under `exclude`",
    "envFile": "load that file before Executor starts",
    "headersHelper": "a command that prints headers; use `auth` of the connection",
    "sandbox": "Executor does not sandbox local servers",
    "timeout": "clients disagree about its unit; write `timeout: 30s`",
}
_NAMED: Final = frozenset(
    {
        "command",
        "args",
        "env",
        "environment",
        "cwd",
        "url",
        "serverUrl",
        "httpUrl",
        "headers",
        "type",
        "transport",
    }
    | {"disabled", "enabled", "tools", "oauth", "name", "description"}
)


def from_client(draft: Draft, key: str, data: Mapping[str, Any]) -> None:
    """`key` is where the servers are: `mcpServers`, `servers` or `context_servers`."""
    for name, entry in mapping(data[key]).items():
        place = f"{key}.{name}"
        if not isinstance(entry, dict):
            draft.left.append(f"{place}: is no mapping")
            continue
        _client_server(draft, name, place, entry)
    for one in data.get("inputs") or ():
        identifier = variable_name(str(mapping(one).get("id", "")))
        if identifier in draft.variables and mapping(one).get("description"):
            draft.variables[identifier] = str(one["description"])
    rest = (name for name in data if name not in (key, "inputs", "$schema"))
    draft.left += [f"{name}: is not about MCP servers" for name in rest]


def _client_server(draft: Draft, name: str, place: str, entry: Mapping[str, Any]) -> None:
    command = entry.get("command")
    # Zed nests it: {"command": {"path": ..., "args": [...]}}.
    if isinstance(command, dict):
        words = [str(command.get("path", "")), *words_of(command.get("args"))]
        environment: Any = command.get("env") or entry.get("env")
    else:
        words = [*_program(command), *words_of(entry.get("args"))]
        environment = entry.get("env") or entry.get("environment")
    url = str(entry.get("url") or entry.get("serverUrl") or entry.get("httpUrl") or "")
    add_server(
        draft,
        ForeignServer(
            name,
            place,
            words if command else [],
            mapping(environment),
            str(entry.get("cwd") or ""),
            url,
            mapping(entry.get("headers")),
            "http" if entry.get("httpUrl") else str(entry.get("type") or entry.get("transport") or ""),
            _oauth(draft, place, entry.get("oauth")),
            entry.get("disabled") is not True and entry.get("enabled") is not False,
        ),
    )
    _tools(draft, place, entry.get("tools"))
    left_over(draft, place, entry, _NAMED)


def _program(command: Any) -> list[str]:
    if isinstance(command, list):
        return words_of(command)
    return [command] if isinstance(command, str) and command else []


def _tools(draft: Draft, place: str, tools: Any) -> None:
    if tools is not None and tools != ["*"]:
        draft.left.append(f"{place}.tools: list them under `include`")


def left_over(draft: Draft, place: str, entry: Mapping[str, Any], known: Iterable[str]) -> None:
    """Every key that nothing was made of."""
    for key, value in entry.items():
        if key not in known and value not in (None, [], {}, ""):
            advice = _ADVICE.get(key)
            draft.left.append(f"{place}.{key}" + (f": {advice}" if advice else ""))


def _oauth(draft: Draft, place: str, value: Any) -> YamlEntry | bool | None:
    if isinstance(value, bool) or value is None:
        return False if value is False else None
    given = dict(mapping(value))
    found: YamlEntry = {}
    identifier = given.pop("clientId", None) or given.pop("client_id", None)
    if isinstance(identifier, str):
        found["client_id"] = identifier
    secret = given.pop("clientSecret", None) or given.pop("client_secret", None)
    if isinstance(secret, str):
        name = place.rpartition(".")[2]
        found["client_secret"] = draft.variable(f"{name}_CLIENT_SECRET", secret, f"{place}.oauth", name)
    scope = given.pop("scope", None) or given.pop("scopes", None)
    if scope:
        found["scope"] = " ".join(scope) if isinstance(scope, list) else str(scope)
    left_over(draft, f"{place}.oauth", given, ())
    return found or None


_OPENCODE: Final = frozenset(
    {"type", "command", "environment", "enabled", "disabled", "url", "headers", "oauth", "timeout", "cwd"}
)


def from_opencode(draft: Draft, data: Mapping[str, Any]) -> None:
    """Version 1 names servers under `mcp`, version 2 under `mcp.servers`."""
    below = mapping(data["mcp"])
    nested = isinstance(below.get("servers"), dict) and "type" not in below["servers"]
    key, servers = ("mcp.servers", below["servers"]) if nested else ("mcp", below)
    for name, entry in mapping(servers).items():
        place = f"{key}.{name}"
        if not isinstance(entry, dict):
            draft.left.append(f"{place}: is no mapping")
            continue
        timeout = entry.get("timeout")
        command = entry.get("command")
        server = ForeignServer(
            name,
            place,
            shlex.split(command) if isinstance(command, str) else words_of(command),
            mapping(entry.get("environment")),
            str(entry.get("cwd") or ""),
            str(entry.get("url") or ""),
            mapping(entry.get("headers")),
            "",
            _oauth(draft, place, entry.get("oauth")),
            entry.get("enabled") is not False and entry.get("disabled") is not True,
            timeout if isinstance(timeout, int) and not isinstance(timeout, bool) else None,
        )
        add_server(draft, server)
        left_over(draft, place, entry, _OPENCODE)
    draft.left += [f"{name}: is not about MCP servers" for name in data if name not in ("mcp", "$schema")]
