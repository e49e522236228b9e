from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integrations.mcp.running import QUICK, raw_server, running


async def test_all_pages_are_read() -> None:
    async with running(raw_server("pages")) as one:
        assert one.names == [f"t{index}" for index in range(9)]


@pytest.mark.parametrize(("limits", "count"), [(replace(QUICK, pages=2), 6), (replace(QUICK, tools=4), 4)])
async def test_pages_and_tools_are_bounded(limits: object, count: int) -> None:
    async with running(raw_server("pages"), limits=limits) as one:  # type: ignore[arg-type]
        assert len(one.names) == count


async def test_a_cursor_that_goes_round_ends_the_listing() -> None:
    async with running(raw_server("circle")) as one:
        assert one.names == ["t"]
        assert "listed twice" in one.upstream.toolset.warnings[0]


async def test_a_server_without_tools_offers_none() -> None:
    async with running(raw_server("toolless")) as one:
        assert one.status == {"status": "connected"}
        assert one.upstream.listed
        assert one.names == []


async def test_a_listing_that_breaks_the_protocol_says_where() -> None:
    async with running(raw_server("broken list")) as one:
        assert one.status["status"] == "failed"
        assert "tools/list breaks the protocol: " in one.status["error"]
        assert "tools.0." in one.status["error"]
