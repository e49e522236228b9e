"""The latest end of a process that was told to stop.

Each part of a shutdown has a limit of its own: executions, connections, children, the store. This one is for what none
of them thought of, such as a thread in a call that never returns, which Python would wait for at exit.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from proxy.telemetry import Logger

LATEST_SECONDS: Final = 15.0
"""What a shutdown may take beyond the time in which executions end: the store and children have up to ten."""
EXIT_HUNG: Final = 70
_MOST_NAMES: Final = 20
_log = Logger("serve")


class LatestEnd:
    """`begin` is called once, when the process begins to stop; it ends at the latest so many seconds later."""

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave

    def begin(self, seconds: float) -> None:
        """From the event loop that is to end. Nothing takes it back: a process that ends in time ends the thread."""
        loop = asyncio.get_running_loop()
        watching = threading.Timer(seconds, self._end, (loop, seconds))
        watching.name = "latest-end"
        watching.daemon = True
        watching.start()

    def _end(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        _log.error("shutdown hangs, ending anyway", after_seconds=seconds, tasks=_names(loop))
        faulthandler.dump_traceback(sys.stderr)
        self._leave(EXIT_HUNG)


def _names(loop: asyncio.AbstractEventLoop) -> list[str]:
    """The tasks that have not ended."""
    try:
        return sorted(task.get_name() for task in asyncio.all_tasks(loop))[:_MOST_NAMES]
    except RuntimeError:  # the set changed while it was read
        return []
