"""Registrations beside the config that serves: applied without a reload, dropped with a reason, never in its way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.application import Application
from proxy.overlay import ServerRegistration
from tests.integrations.mcp.http_server import raw_http
from tests.proxy.app.started import MEMORY, application_of

ON = "api: {registration: overlay, egress: {allow: [127.0.0.1]}}\n"


async def stored(application: Application, *registrations: ServerRegistration) -> None:
    for one in registrations:
        await application.overlay.store.add("default", one, "key:boss")
    number = application.overlay.number
    application.sources_changed.set()
    assert await application.overlay.served_after(number)


async def test_a_registration_is_served_beside_the_files(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with raw_http() as raw, application_of(tmp_path, "version: 1\n" + MEMORY + ON, env) as application:
        config = {"type": "remote", "url": f"{raw.echo.url}/mcp"}
        await stored(application, ServerRegistration("docs", "docs", config))
        generation = application.live.current
        assert list(generation.workspaces["default"].connections) == ["docs.org.main"]
        assert [one.label for one in generation.connections] == ["default/docs.org.main"]
        assert application.overlay.rows() == [
            {"workspace": "default", "server": "docs", "registeredBy": "key:boss"}
        ]
        assert generation.workspaces["default"].defaults["docs"].source == "registered by key:boss"
        # A reload keeps it.
        assert (await application.reloader.reload("http")).result == "unchanged"
        assert list(application.live.current.workspaces["default"].connections) == ["docs.org.main"]


async def test_one_that_does_not_fit_is_left_out_with_a_reason(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    files = (
        "integrations: {docs: {kind: mcp, type: remote, url: 'https://mcp.example.com', enabled: false}}\n"
        "connections: {docs.org.main: {}}\n"
    )
    async with application_of(tmp_path, "version: 1\n" + MEMORY + ON + files, env) as application:
        url = {"type": "remote", "url": "https://mcp.example.com/x"}
        await stored(
            application,
            ServerRegistration("docs", "docs", url),
            ServerRegistration("shell", "shell", {"type": "local", "command": ["sh"]}),
            ServerRegistration("bad", "bad", {"type": "remote", "url": "ftp://x.example"}),
        )
        rows = {row["server"]: row["notServed"] for row in application.overlay.rows()}
        assert rows["docs"].startswith("shadowed by ")
        assert rows["docs"].endswith(":4")
        assert "allow_local_commands" in rows["shell"]
        assert rows["bad"].startswith("/config/url: ")
        assert list(application.live.current.workspaces["default"].connections) == ["docs.org.main"]


async def test_without_registration_nothing_that_is_stored_counts(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with application_of(tmp_path, "version: 1\n" + MEMORY, env) as application:
        await stored(
            application, ServerRegistration("docs", "docs", {"type": "remote", "url": "https://x.example"})
        )
        assert application.overlay.rows() == []
        assert not application.live.current.workspaces["default"].connections
