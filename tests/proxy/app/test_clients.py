"""Which paths are served when all connections are in use, below the path of `public_url` and without it."""

from __future__ import annotations

import pytest

from proxy.app.clients import Clients
from proxy.config.model import Server
from proxy.telemetry import MetricsRegistry


@pytest.mark.parametrize(
    ("public_url", "path", "essential"),
    [
        (None, "/healthz", True),
        (None, "/mcp", False),
        (None, "/x/healthz", False),
        ("https://h.example/x", "/x/healthz", True),
        ("https://h.example/x", "/healthz", True),
        ("https://h.example/x", "/x/-/status", True),
        ("https://h.example/x", "/x/mcp", False),
    ],
)
def test_health_and_reload_go_on_in_a_crowd(public_url: str | None, path: str, essential: bool) -> None:
    server = Server.model_validate({"public_url": public_url} if public_url else {})
    assert Clients(lambda: server, MetricsRegistry()).held.essential(path) is essential
