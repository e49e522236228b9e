"""Which connections are shown to whom, and which can be connected again."""

from __future__ import annotations

from typing import Any

from integrations.base import Failure
from proxy.calls import PlainValue
from proxy.principal import Principal
from tests.proxy.serving.board import Board
from tests.proxy.serving.board_status import NOW, board_status
from tests.proxy.serving.pages.support import Site, asked, site

ROW = {"connection": "docs.org.main", "integration": "docs", "kind": "mcp", "title": "Docs", "toolCount": 3}
WHY = "exited with code 3: <i>first</i>\u202e | second"


class Connected(Board):
    """One MCP server that failed, and what the server knows of it."""

    async def look_up(
        self, name: str, arguments: dict[str, Any], principal: Principal
    ) -> PlainValue | Failure:
        return PlainValue([{**ROW, "status": "failed", "error": WHY}])

    def status(self) -> dict[str, Any]:
        made = board_status(
            connections=[
                {
                    "connection": "docs.org.main",
                    "declared_at": "executor.yaml:7",
                    "warnings": ["left out"],
                    "stderr": ["the <last> line"],
                }
            ]
        )
        made["last_hour"]["connections"]["docs.org.main"] = {
            "calls": 4,
            "failed": 1,
            "milliseconds": 1234,
            "last_at": NOW,
            "last_error": "upstream_timeout",
            "last_error_at": NOW,
        }
        return made


def here() -> Site:
    return site(*asked("one"), board=Connected(), source_link=lambda source: f"https://git.example/{source}")


async def test_everybody_sees_why_and_what_it_says_is_inert() -> None:
    async with here().signed_in("bob") as bob:
        page = (await bob.get("/console/connections")).text
    assert "&lt;i&gt;first&lt;/i&gt;\\u{202E} | second" in page
    assert "executor.yaml" not in page
    assert "Connect again" not in page
    assert "the &lt;last&gt; line" not in page


async def test_operators_see_the_place_the_latency_and_the_last_error() -> None:
    async with here().signed_in("alice") as alice:
        page = (await alice.get("/console/connections")).text
    for text in (
        'href="https://git.example/executor.yaml:7"',
        "1.2 s",
        "upstream_timeout",
        "left out",
        "1 failed",
        "the &lt;last&gt; line",
    ):
        assert text in page


async def test_the_filter_leaves_what_has_this_status() -> None:
    async with here().signed_in("bob") as bob:
        assert "docs.<wbr>org" in (await bob.get("/console/connections?status=failed")).text
        other = (await bob.get("/console/connections?status=no%3Cb%3E")).text
    assert "None is no&lt;b&gt;" in other


async def test_what_has_no_session_cannot_be_connected_again() -> None:
    async with here().signed_in("alice") as alice:
        form = {"csrf": await alice.csrf("/console/connections")}
        for name in ("other.org.main", "docs.org.main"):
            answer = await alice.post(f"/console/connections/{name}/connect", form)
            assert answer.status_code == 404
