from __future__ import annotations

import asyncio
import time
from typing import Any

from proxy.serving.wire import Wire
from proxy.state.memory import MemoryState

Hints = asyncio.Queue[dict[str, Any] | None]


async def test_a_hint_reaches_other_replicas_and_not_its_sender() -> None:
    state = MemoryState(clock=time.time)
    here, there = Wire(state), Wire(state)
    mine, theirs = Hints(), Hints()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(here.run(mine.put_nowait)),
            group.create_task(there.run(theirs.put_nowait)),
        ]
        here.tell("closed", session="mcp_1")
        heard = None
        while heard is None:
            # Who subscribes later than the hint was sent does not hear it.
            try:
                heard = await asyncio.wait_for(theirs.get(), 0.05)
            except TimeoutError:
                here.tell("closed", session="mcp_1")
        assert (heard["what"], heard["session"]) == ("closed", "mcp_1")
        assert mine.empty()
        for task in running:
            task.cancel()


async def test_hints_that_nobody_sends_on_are_dropped_and_never_block() -> None:
    wire = Wire(MemoryState(clock=time.time))
    for _ in range(1000):
        wire.tell("closed", session="mcp_1")
