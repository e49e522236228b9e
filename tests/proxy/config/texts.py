"""Config texts and how to load them without files."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config import Diagnostic, LoadedConfig, load_config

API = """version: 1
integrations:
  api:
    kind: openapi
    spec: {url: https://api.example.com/openapi.json}
connections:
  api.org.main: {}
"""


def load(text: str | bytes, env: Mapping[str, str] | None = None) -> LoadedConfig:
    data = text.encode() if isinstance(text, str) else text
    return load_config(["-"], env=env, stdin=data)


def valid(text: str) -> LoadedConfig:
    loaded = load(text)
    assert loaded.config is not None, [(one.code, one.message) for one in loaded.diagnostics]
    return loaded


def only(text: str | bytes, env: Mapping[str, str] | None = None) -> Diagnostic:
    """The one diagnostic of a text."""
    diagnostics = load(text, env).diagnostics
    assert len(diagnostics) == 1, [(one.code, one.line, one.column, one.message) for one in diagnostics]
    return diagnostics[0]


def codes(text: str | bytes, env: Mapping[str, str] | None = None) -> list[str]:
    return [one.code for one in load(text, env).diagnostics]
