"""The limits and questions of one session are its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.integrations.mcp.running import QUICK, fifo, raw_server, read_fifo, running


async def test_calls_beyond_the_limit_are_refused_at_once(tmp_path: Path) -> None:
    limits = replace(QUICK, parallel_calls=1, waiting_calls=0)
    hung = fifo(tmp_path / "hung")
    async with running(raw_server("", {"HUNG": str(hung)}), limits=limits, name="shop") as one:
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(one.call("hang"))
            await read_fifo(hung)
            failure = await one.failure("echo", text="a")
            call.cancel()
        assert (failure.code, failure.retryable) == ("mcp_connection_failed", True)
        assert "too many calls of shop wait already" in failure.message
        assert await one.data("echo", text="next") == "next"
