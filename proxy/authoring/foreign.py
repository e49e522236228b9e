"""Which program wrote a file, and the draft that its content makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from proxy.authoring.clients import from_client, from_opencode
from proxy.authoring.draft import Draft
from proxy.authoring.executor_jsonc import from_executor_jsonc
from proxy.authoring.gateways import from_agentgateway, from_gridctl
from proxy.config.parse import parse
from proxy.config.source import read_text

FORMATS: Final = (
    "mcp.json of Claude, Cursor, VS Code and others (mcpServers, servers, context_servers), OpenCode (mcp), "
    "executor.jsonc (sources), agentgateway (binds), gridctl (mcp-servers)"
)
_CLIENT_KEYS: Final = ("mcpServers", "servers", "context_servers")
# Strings are matched first, so that nothing in them is taken for a comment or a last comma.
_STRING: Final = r'(?P<string>"(?:[^"\\\n]|\\.)*")'
_COMMENT: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA: Final = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


class UnknownFormat(Exception):
    """The file is none that is understood; the text says why."""


def read_foreign(path: str, content: bytes) -> tuple[str, Draft]:
    """The name of the format, and the draft. Raises `UnknownFormat`."""
    data = _data(path, content)
    for name, fits, read in _READERS:
        if fits(data):
            draft = Draft()
            read(draft, data)
            return name, draft
    if data.get("version") == 1 and "integrations" in data:
        raise UnknownFormat("is a config of Executor already; serve it: executor serve --config FILE")
    keys = ", ".join(list(map(str, data))[:6]) or "nothing"
    raise UnknownFormat(f"is none of the files that are understood (it has {keys}): {FORMATS}")


def _has_servers(data: Mapping[str, Any]) -> bool:
    return any(isinstance(data.get(key), dict) for key in _CLIENT_KEYS)


def _has_targets(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("mcp"), dict) and isinstance(data["mcp"].get("targets"), list)


def _read_client(draft: Draft, data: Mapping[str, Any]) -> None:
    from_client(draft, next(key for key in _CLIENT_KEYS if isinstance(data.get(key), dict)), data)


ForeignReader = Callable[[Draft, Mapping[str, Any]], None]
_READERS: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], bool], ForeignReader], ...]] = (
    ("mcp.json", _has_servers, _read_client),
    ("agentgateway", lambda data: "binds" in data or _has_targets(data), from_agentgateway),
    ("opencode", lambda data: isinstance(data.get("mcp"), dict), from_opencode),
    ("executor.jsonc", lambda data: isinstance(data.get("sources"), list), from_executor_jsonc),
    ("gridctl", lambda data: isinstance(data.get("mcp-servers"), list), from_gridctl),
)


def _data(path: str, content: bytes) -> Mapping[str, Any]:
    source, flaw = read_text(path, content)
    if flaw is not None:
        raise UnknownFormat(f"cannot be read: {flaw.message}")
    if source.text.lstrip().startswith(("{", "//", "/*")):
        return _json(source.text)
    parsed = parse(source)
    if parsed.flaws or not isinstance(parsed.data, dict):
        why = f"line {parsed.flaws[0].line + 1}: {parsed.flaws[0].message}" if parsed.flaws else "no mapping"
        raise UnknownFormat(f"is neither JSON nor YAML that can be read ({why})")
    return parsed.data


def _json(text: str) -> Mapping[str, Any]:
    """JSON with comments and last commas, as editors write it."""
    for pattern in (_COMMENT, _LAST_COMMA):
        text = pattern.sub(lambda found: found["string"] or re.sub(r"[^\n]", " ", found[0]), text)
    try:
        data = json.loads(text)
        # Half of a surrogate pair is no text that a file could hold.
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UnknownFormat(f"is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise UnknownFormat("is JSON, but no object")
    return data
