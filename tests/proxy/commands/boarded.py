"""A real server around the test gateway, on a thread of its own: commands ask it as they would ask any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from tests.proxy.serving.board import Board
from tests.proxy.serving.support import serving

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Boarded:
    """Where it listens, and what it holds."""

    url: str
    board: Board


@contextmanager
def boarded() -> Iterator[Boarded]:
    found: Future[tuple[Boarded, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with serving() as server:
            found.set_result((Boarded(server.url, server.board), asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    server, loop, over = found.result(LIMIT_SECONDS)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(LIMIT_SECONDS)
