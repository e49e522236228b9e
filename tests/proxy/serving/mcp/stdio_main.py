"""A stdio server process with the test gateway; prints to stdout on purpose, before and while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from proxy.executions import ExecutionRequest, ExecutionResult, Observer
from proxy.principal import Principal
from proxy.serving.mcp.stdio import serve_stdio
from proxy.serving.modes import requested_mode_of
from tests.proxy.serving.support import Board


class Noisy(Board):
    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        print("noise from Python")
        os.write(1, b"noise from below\n")
        if request.code == "change":
            self.change()
        return await super().execute(request, principal, observer, idempotency_key=idempotency_key)


async def main(mode: str) -> None:
    """As the application does it: SIGTERM cancels."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        requested_mode = requested_mode_of({"elicitation_mode": mode} if mode else {})
        await serve_stdio(Noisy(), Principal("ws_one", "local", "local"), requested_mode=requested_mode)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
