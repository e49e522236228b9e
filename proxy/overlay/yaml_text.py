"""A registration as config: the sections that the loader reads, and the YAML that somebody can commit.

Values of headers and variables and the client's secret are never part of either: the loader's sections refer to them
under names that this process alone resolves, the YAML under names that whoever commits it sets.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from integrations.base import JsonObject
from proxy.overlay.registration import ServerRegistration

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"))


@dataclass(slots=True)
class ServerSections:
    """`values` are what the references of `data` stand for, by name."""

    data: JsonObject
    values: dict[str, str] = field(default_factory=dict)


class _Names:
    """How references are called: so that nothing else has the name, or so that people understand it."""

    def __init__(self, registration: ServerRegistration, workspace: str | None) -> None:
        self._registration = registration
        self._workspace = workspace
        self.values: dict[str, str] = {}

    def reference(self, kind: str, key: str, value: str) -> Any:
        """What is empty is no secret, and could not be resolved."""
        if not value.strip():
            return ""
        name = self._sealed(kind, key, value) if self._workspace is not None else self._shown(kind, key)
        self.values[name] = value
        return {"env": name}

    def _sealed(self, kind: str, key: str, value: str) -> str:
        """Of the value as well: whatever was opened with another one is opened anew."""
        parts = (str(self._workspace), self._registration.integration, kind, key, value)
        digest = hashlib.sha256("\n".join(map(json.dumps, parts)).encode()).hexdigest()
        return f"EXECUTOR_SEALED_{digest[:32]}"

    def _shown(self, kind: str, key: str) -> str:
        if kind == "environment":
            return key
        return re.sub(r"[^A-Z0-9_]", "_", f"{self._registration.integration}_{key}".upper())


def server_sections(
    registration: ServerRegistration, workspace: str | None, *, off: bool, allow: Iterable[str] = ()
) -> ServerSections:
    """Its integration and its connection. `workspace` None: as it can be committed. `allow` are private addresses that
    registered servers may be at."""
    config, names = registration.config, _Names(registration, workspace)
    entry: JsonObject = {"kind": "mcp", "type": config["type"]}
    if off:
        entry["enabled"] = False
    if "timeout" in config:
        entry["timeout"] = config["timeout"]
    if registration.is_local:
        entry["command"] = list(config["command"])
        _add_values(entry, "environment", config, names)
    else:
        entry["url"] = config["url"]
        _add_values(entry, "headers", config, names)
        _add_oauth(entry, config.get("oauth"), names)
        if allowed := list(allow):
            entry["egress"] = {"allow": allowed}
    data = {"integrations": {registration.integration: entry}, "connections": {registration.prefix: {}}}
    return ServerSections(data, names.values)


def _add_values(entry: JsonObject, key: str, config: JsonObject, names: _Names) -> None:
    given: Mapping[str, str] = config.get(key, {})
    if given:
        entry[key] = {name: names.reference(key, name, value) for name, value in given.items()}


def _add_oauth(entry: JsonObject, oauth: object, names: _Names) -> None:
    if oauth is False:
        entry["oauth"] = False
    if not isinstance(oauth, dict) or not oauth:
        return
    said: JsonObject = {}
    for given, key in (("issuer", "issuer"), ("clientId", "client_id"), ("scope", "scope")):
        if given in oauth:
            said[key] = oauth[given]
    if "clientSecret" in oauth:
        said["client_secret"] = names.reference("oauth", "client_secret", oauth["clientSecret"])
    entry["oauth"] = said


def loader_text(sections: ServerSections) -> bytes:
    """For the loader: JSON, which is YAML without questions."""
    return json.dumps({"version": 1, **sections.data}, ensure_ascii=False).encode()


def committed_yaml(registrations: Iterable[ServerRegistration]) -> str:
    """What can be committed, each secret as a reference to a variable; empty for none."""
    integrations: JsonObject = {}
    connections: JsonObject = {}
    for one in registrations:
        data = server_sections(one, None, off=not one.enabled).data
        integrations |= data["integrations"]
        connections |= data["connections"]
    if not integrations:
        return ""
    sections = {"version": 1, "integrations": integrations, "connections": connections}
    return "".join(f"{line}\n" for line in _lines(sections, ""))


def variables_of(registrations: Iterable[ServerRegistration]) -> list[str]:
    """The names that `committed_yaml` refers to."""
    found = [name for one in registrations for name in server_sections(one, None, off=False).values]
    return sorted(dict.fromkeys(found))


def _lines(value: JsonObject, indent: str) -> Iterable[str]:
    for key, below in value.items():
        shown = f"{indent}{_scalar(key)}:"
        if isinstance(below, dict) and below and set(below) != {"env"}:
            yield shown
            yield from _lines(below, f"{indent}  ")
        else:
            yield f"{shown} {_flow(below)}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool | int):
        return json.dumps(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
