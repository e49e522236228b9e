"""What is held open: loaded once, kept by one task at a time, and a session's tools made searchable once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from integrations.mcp import LocalServer, McpUpstream
from proxy.connections.holding import DocumentHolding, McpHolding
from proxy.connections.sources import LoadedSource, Source
from tests.proxy.support import IMPATIENT, LIMIT_SECONDS, Notice, supervised


async def unreachable(cache: Path | None) -> None:
    raise OSError("nobody listens")


def down() -> DocumentHolding:
    return DocumentHolding(Source("key", unreachable, "http://127.0.0.1:9/x", None, IMPATIENT))  # type: ignore[arg-type]


async def test_a_document_that_is_down_is_kept_by_one_task_at_a_time() -> None:
    holding = down()
    async with supervised() as tasks:
        await holding.first(tasks, LIMIT_SECONDS)
        assert "nobody listens" in (holding.loaded.error or "")
        before = asyncio.all_tasks()
        holding.keep(tasks, None, Notice())
        holding.keep(tasks, None, Notice())
        assert len(asyncio.all_tasks() - before) == 1
        await holding.stop()


async def test_an_mcp_server_that_cannot_start_says_why() -> None:
    holding = McpHolding("key", McpUpstream(LocalServer(("/nonexistent/server",)), name="x.org.main"))
    async with supervised() as tasks:
        await holding.first(tasks, LIMIT_SECONDS)
        loaded = holding.loaded
        assert loaded.toolset is None
        assert loaded.error
        assert holding.loaded is loaded
        await holding.stop()


async def test_a_disabled_mcp_server_is_never_started(env: Mapping[str, str]) -> None:
    server = LocalServer((sys.executable, "-c", "raise SystemExit(1)"))
    holding = McpHolding("key", McpUpstream(server, name="x.org.main", enabled=False))
    async with supervised() as tasks:
        await holding.first(tasks, LIMIT_SECONDS)
        assert holding.upstream.status == {"status": "disabled"}
        assert holding.loaded == LoadedSource("key", error="disabled")
        await holding.stop()
