"""The page of a stdio server: how it looks is in tests/proxy/serving/pages, how it is used in tests/e2e."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from proxy.app.pages import LocalPages


async def shown(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_it_is_served_from_the_first_question_to_the_end() -> None:
    told: list[str] = []
    async with asyncio.TaskGroup() as group:
        pages = LocalPages(group, shown, told.append)
        assert told == []
        first, second = await asyncio.gather(pages.page("exec_1", None), pages.page("exec_2", "mcp&1"))
        assert [first, second] == [
            f"{told[0]}/resume/exec_1",
            f"{told[0]}/resume/exec_2?mcp_session_id=mcp%261",
        ]
        assert len(told) == 1
        async with httpx2.AsyncClient() as client:
            assert (await client.get(first or "")).text == "ok"
        pages.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(first or "")


async def test_without_a_pause_nothing_is_bound() -> None:
    async with asyncio.TaskGroup() as group:
        LocalPages(group, shown, lambda origin: pytest.fail(origin)).close()
