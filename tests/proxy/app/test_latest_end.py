"""A process that was told to stop ends, whatever hangs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from proxy.app.latest_end import EXIT_HUNG, LatestEnd

HANGS = {
    "a thread that exit waits for": "threading.Thread(target=never.wait).start()",
    "a task that cannot be cancelled": "await stubborn()",
    "a loop that stands still": "never.wait()",
}
PROGRAM = """
import asyncio, threading
from proxy.app.latest_end import LatestEnd
never = threading.Event()

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main():
    LatestEnd().begin(0.2)
    asyncio.create_task(asyncio.sleep(0), name="one")
    {hang}

asyncio.run(main())
"""


@pytest.mark.parametrize("hang", HANGS)
def test_whatever_hangs_the_process_ends_and_says_where(hang: str) -> None:
    program = PROGRAM.format(hang=HANGS[hang])
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == EXIT_HUNG
    assert "shutdown hangs, ending anyway" in ended.stderr
    assert "most recent call first" in ended.stderr


async def test_the_tasks_that_have_not_ended_are_named(caplog: pytest.LogCaptureFixture) -> None:
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asyncio.Event().wait(), name="mcp here.org.main")
        LatestEnd(leave).begin(0.01)
        await asyncio.to_thread(left.wait, 30)
        waiting.cancel()
    assert codes == [EXIT_HUNG]
    (record,) = caplog.records
    assert "mcp here.org.main" in str(record.__dict__)
