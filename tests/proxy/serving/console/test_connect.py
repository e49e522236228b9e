"""Who is shown the agents' token: the person at the machine, who asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.serving.console.connect import is_loopback
from proxy.serving.pages import LocalFiles
from tests.proxy.serving.pages.support import Site, asked, site

TOKEN = "agents-token-1"


def local(folder: Path, **options: Any) -> Site:
    (folder / "token").write_text(f"{TOKEN}\n")
    chosen = {
        "local_files": lambda: LocalFiles(folder / "token"),
        "endpoint": lambda: "http://127.0.0.1:8080/mcp",
    }
    return site(*asked("one"), **{**chosen, **options})


async def test_it_is_there_on_demand_and_never_on_the_page_itself(tmp_path: Path) -> None:
    async with local(tmp_path).signed_in("alice") as alice:
        page = await alice.get("/console/connect")
        assert TOKEN not in page.text
        assert "Show the agents&#39; token" in page.text or "Show the agents' token" in page.text
        form = {"csrf": await alice.csrf("/console/connect")}
        shown = await alice.post("/console/connect/token", form)
        assert (shown.status_code, TOKEN in shown.text) == (200, True)
        assert shown.headers["cache-control"] == "no-store"
        assert (await alice.post("/console/connect/token", {"csrf": ""})).status_code == 403


@pytest.mark.parametrize(
    ("options", "who", "host"),
    [
        ({"public_url": lambda: "http://127.0.0.1:8080"}, "alice", "127.0.0.1:8080"),
        ({"local_files": lambda: None}, "alice", "127.0.0.1:8080"),
        ({}, "bob", "127.0.0.1:8080"),
    ],
)
async def test_nobody_else_is_shown_it(tmp_path: Path, options: dict[str, Any], who: str, host: str) -> None:
    async with local(tmp_path, **options).signed_in(who, f"http://{host}") as browser:
        form = {"csrf": await browser.csrf("/console/connect")}
        refused = await browser.post("/console/connect/token", form)
        assert (refused.status_code, TOKEN in refused.text) == (403, False)
        assert "Show the agents" not in (await browser.get("/console/connect")).text


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


async def test_over_stdio_there_is_nothing_to_connect_to() -> None:
    async with site(endpoint=lambda: None).signed_in("alice") as alice:
        page = await alice.get("/console/connect")
    assert "talks over stdio" in page.text


async def test_whoever_chose_a_workspace_gets_its_endpoint() -> None:
    async with site(endpoint=lambda: "https://x.example/mcp").browser() as browser:
        await browser.sign_in("alice", workspace="ws_one")
        assert "https://x.example/ws_one/mcp" in (await browser.get("/console/connect")).text
