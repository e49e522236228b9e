"""Hints between replicas, about what is bound to one process: an open stream, a request in flight.

Nothing depends on them alone: a hint that is lost costs a wait that ends by itself. Over Redis they reach all replicas,
with the other stores only this process.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import anyio

from integrations.json_text import read_json, write_json
from proxy.state import StateUnavailable
from proxy.state.base import Publications

TOPIC: Final = "mcp"
_QUEUE_SIZE: Final = 256
_AGAIN_SECONDS: Final = 1.0
HintListener = Callable[[dict[str, Any] | None], None]
"""Gets each hint of another replica; None: some may have been missed. Does not block or raise."""


class ReplicaBus:
    """One per start. `publish` may be called at any time; hints go out, and come in, while `run` runs."""

    def __init__(self, publications: Publications) -> None:
        self._publications = publications
        self._own = secrets.token_hex(8)
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_SIZE)

    def publish(self, what: str, **about: Any) -> None:
        """Queue one hint; dropped when too many wait."""
        try:
            self._queue.put_nowait(write_json({"from": self._own, "what": what, **about}))
        except asyncio.QueueFull:
            return

    async def run(self, listener: HintListener) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._send)
            group.start_soon(self._receive, listener)

    async def _send(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                await self._publications.publish(TOPIC, message)
            except StateUnavailable:
                continue

    async def _receive(self, listener: HintListener) -> None:
        while True:
            try:
                async with self._publications.subscribe(TOPIC) as news:
                    while True:
                        self._pass_on(await news.receive(), listener)
            except StateUnavailable:
                await anyio.sleep(_AGAIN_SECONDS)

    def _pass_on(self, message: bytes | None, listener: HintListener) -> None:
        if message is None:
            listener(None)
            return
        hint = read_json(message)
        if hint["from"] != self._own:
            listener(hint)
