"""Registrations as config: no secret is in the text, and what is exported is a config that says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.config import load_config
from proxy.overlay import ServerRegistration, committed_yaml
from proxy.overlay.yaml_text import loader_text, server_sections, variables_of

SECRET = "hunter2-hunter2"
EVERYTHING = {
    "type": "remote",
    "url": "https://mcp.example.com/x?y=#z",
    "headers": {"X-Api-Key": SECRET, "Empty": "", "yes": SECRET},
    "oauth": {
        "clientId": "id: 1",
        "clientSecret": SECRET,
        "scope": "a b",
        "issuer": "https://as.example.com",
    },
    "timeout": 7000,
    "enabled": False,
}
LOCAL = {
    "type": "local",
    "command": ["npx", "-y", "@scope/pkg", "true", "12", "- a", "o'clock", 'q"q', "#x"],
    "environment": {"TOKEN": SECRET},
}


def one(config: dict[str, Any], name: str = "docs") -> ServerRegistration:
    return ServerRegistration(name, name, config)


@pytest.mark.parametrize("config", [EVERYTHING, LOCAL, {**EVERYTHING, "oauth": False}])
def test_what_is_exported_is_a_valid_config_that_says_the_same(
    config: dict[str, Any], tmp_path: Path
) -> None:
    text = committed_yaml([one(config)])
    assert SECRET not in text
    path = tmp_path / "executor.yaml"
    path.write_text(text)
    loaded = load_config([path], env=dict.fromkeys(variables_of([one(config)]), SECRET))
    assert loaded.config is not None, loaded.diagnostics
    integration: Any = loaded.config.integrations["docs"]
    assert loaded.config.connections.keys() == {"docs.org.main"}
    if config["type"] == "local":
        assert list(integration.command) == config["command"]
        assert integration.environment["TOKEN"].env == "TOKEN"
    else:
        assert integration.url == config["url"]
        assert integration.headers["X-Api-Key"].env == "DOCS_X_API_KEY"
        assert integration.headers["Empty"] == ""
        assert (integration.timeout, integration.enabled) == (7.0, False)
        if config["oauth"]:
            assert integration.oauth.client_id == "id: 1"
            assert integration.oauth.client_secret.env == "DOCS_CLIENT_SECRET"
        else:
            assert integration.oauth is False


def test_nothing_is_exported_as_nothing() -> None:
    assert committed_yaml([]) == ""
    assert variables_of([]) == []


def test_the_loader_sees_references_that_nothing_else_has() -> None:
    """By workspace, name and value: another value is another reference, so that it is opened anew."""
    names = [
        list(server_sections(one(config, name), workspace, off=False).values)
        for workspace, name, config in (
            ("a", "docs", {**EVERYTHING, "headers": {"X": "1"}, "oauth": True}),
            ("b", "docs", {**EVERYTHING, "headers": {"X": "1"}, "oauth": True}),
            ("a", "more", {**EVERYTHING, "headers": {"X": "1"}, "oauth": True}),
            ("a", "docs", {**EVERYTHING, "headers": {"X": "2"}, "oauth": True}),
            ("a", "docs", {**EVERYTHING, "headers": {"Y": "1"}, "oauth": True}),
        )
    ]
    assert len({found[0] for found in names}) == 5
    sections = server_sections(one(EVERYTHING), "a", off=True, allow=("10.0.0.0/8",))
    text = loader_text(sections)
    assert SECRET.encode() not in text
    assert sections.data["integrations"]["docs"]["egress"] == {"allow": ["10.0.0.0/8"]}
    assert set(sections.values.values()) == {SECRET}
