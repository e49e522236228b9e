"""A path of `public_url` is refused where it cannot be told from one of ours, and only there."""

from __future__ import annotations

import pytest

from proxy.config.semantics.public_path import OWN_PATHS
from proxy.serving.admission import mcp_route
from proxy.serving.drain import Drain
from proxy.serving.pages import PageOptions
from proxy.serving.rest.operations import RestOptions, build_rest
from tests.proxy.config.texts import codes, only
from tests.proxy.serving.board import Board

HOST = "https://tools.example.com"


def text(path: str, more: str = "") -> str:
    return f"version: 1\nserver: {{public_url: '{HOST}{path}'}}\n{more}"


@pytest.mark.parametrize(
    "path", ["", "/", "/executor", "/executor/", "/a/b", "/api/executor", "/v1/x", "/Mcp", "/mcp2", "/team"]
)
def test_other_paths_are_served_below(path: str) -> None:
    assert codes(text(path)) == []


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/mcp", "/mcp"),
        ("/mcp/x", "/mcp"),
        ("/v1", "/v1/auth"),
        ("/api", "/api/approvals"),
        ("/api/tools/x", "/api/tools"),
        ("/pages", "/pages"),
        ("/.well-known/x", "/.well-known"),
        ("/default", "/default/mcp"),
        ("/default/mcp/x", "/default/mcp"),
    ],
)
def test_our_own_are_not(path: str, own: str) -> None:
    found = only(text(path))
    assert found.code == "E206"
    assert f"Executor's own `{own}` begins with it" in found.message
    assert found.help is not None
    assert "https://tools.example.com/executor" in found.help


def test_the_name_of_a_workspace_is_a_path_of_ours() -> None:
    assert only(text("/red", "workspaces: {red: {}, blue: {}}\n")).code == "E206"
    assert codes(text("/default", "workspaces: {red: {}, blue: {}}\n")) == []


@pytest.mark.parametrize("path", ["//a", "/a//b", "/a b", "/%61", "/a/../b", "/.", "/a;b", "/ä", "/a@b"])
def test_what_proxies_spell_in_different_ways_is_refused(path: str) -> None:
    assert only(text(path)).code == "E206"


def test_no_path_of_ours_is_forgotten() -> None:
    """Every route of a server begins with something in the table, and the table names nothing else."""
    app = build_rest(Board(), Drain(), RestOptions(pages=PageOptions()))
    routes = {str(rule).strip("/") for rule in app.url_map.iter_rules()} - {""}
    routes |= {path.strip("/") for path in ("/mcp", "/v1/mcp") if mcp_route(path)}
    begins = {own for own in OWN_PATHS for route in routes if f"{route}/".startswith(f"{own}/")}
    missing = {route for route in routes if not any(f"{route}/".startswith(f"{own}/") for own in OWN_PATHS)}
    assert missing == set()
    assert set(OWN_PATHS) - begins <= {"api/v1"}, "kept for what is planned"
