"""Secrets in plain text where a string is allowed too: headers, variables, commands, URLs (E401, E406).

This looks at the data, not at the model, so that a secret is found even in an entry that has other errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from integrations.fields import looks_like_a_secret, names_a_secret
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.semantics.view import ConfigView

_HELP = "write {env: NAME} or {file: PATH}, and replace the secret: it is in the file"
_TEMPLATE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}?")
_FLAG = re.compile(r"--?[\w-]*(?:token|secret|password|api-?key)(=)?", re.IGNORECASE)
_QUERY = re.compile(r"[?&](?:api_?key|access_?token|token|secret|password)=[^&]{4,}", re.IGNORECASE)


def check_plain_text(view: ConfigView) -> Iterator[Finding]:
    for name, integration in _mapping(view.data.get("integrations")).items():
        path: Path = ("integrations", name)
        if not isinstance(integration, dict):
            continue
        yield from _values(integration, path, "headers")
        yield from _values(integration, path, "environment")
        yield from _command(integration.get("command"), (*path, "command"))
        yield from _urls(integration, path)
        yield from _urls(_mapping(integration.get("spec")), (*path, "spec"))
    for name, connection in _mapping(view.data.get("connections")).items():
        yield from _urls(_mapping(connection), ("connections", name))
        yield from _login(_mapping(_mapping(connection).get("auth")), ("connections", name, "auth"))
    yield from _values(
        _mapping(_mapping(view.data.get("telemetry")).get("otlp")), ("telemetry", "otlp"), "headers"
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _values(owner: dict[str, Any], path: Path, key: str) -> Iterator[Finding]:
    """Headers and variables: by the name, or by the look of the value."""
    for name, value in _mapping(owner.get(key)).items():
        if not isinstance(value, str) or not value:
            continue
        below = (*path, key, name)
        if not (names_a_secret(name) or looks_like_a_secret(value)):
            continue
        template = _TEMPLATE.fullmatch(value)
        if template:
            message = f"`{name}`: `${{{template[1]}}}` is taken literally here"
            yield Finding("E406", below, message, f"did you mean {{env: {template[1]}}}?")
        else:
            yield Finding("E401", below, f"`{name}`: secret written in plain text", _HELP)


def _command(command: Any, path: Path) -> Iterator[Finding]:
    """Arguments are visible to every process of the machine, so a secret belongs into `environment`."""
    if not isinstance(command, list):
        return
    for index, word in enumerate(command):
        if not isinstance(word, str):
            continue
        before = command[index - 1] if index else ""
        flag = isinstance(before, str) and _FLAG.fullmatch(before)
        given = _FLAG.match(word)
        if looks_like_a_secret(word) or (flag and not word.startswith("-")) or (given and given[1]):
            help = "pass it through `environment: {NAME: {env: NAME}}`"
            yield Finding("E401", (*path, index), "`command`: secret written in plain text", help)


def _urls(owner: dict[str, Any], path: Path) -> Iterator[Finding]:
    for key in ("url", "base_url", "endpoint"):
        value = owner.get(key)
        if isinstance(value, str) and (_QUERY.search(value) or looks_like_a_secret(value)):
            help = "use `auth: {kind: query, name: ..., value: {env: NAME}}` of the connection"
            yield Finding("E401", (*path, key), f"`{key}`: secret written in plain text", help)


def _login(auth: dict[str, Any], path: Path) -> Iterator[Finding]:
    """A user name or client id that looks like a token is one (GitHub takes tokens as user names)."""
    for key in ("username", "client_id"):
        value = auth.get(key)
        if isinstance(value, str) and looks_like_a_secret(value):
            yield Finding("E401", (*path, key), f"`{key}`: secret written in plain text", _HELP)
