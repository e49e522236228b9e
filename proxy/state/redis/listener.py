"""Messages between replicas: one channel for all topics, read by one task that comes back by itself.

A message that was published while the connection was away is gone; every subscriber is then told that it may have
missed some. A connection that says nothing is asked for a sign of life, so that a dead one is noticed.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

from redis import exceptions

from proxy.state.keys import Cipher
from proxy.state.publications import Hub
from proxy.state.records import StateUnreadable
from proxy.state.redis.link import Link
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_LENGTH: Final = struct.Struct(">H")
_log: Final = Logger("state")


class Listener:
    """Reads the channel and hands the messages to a hub. `start` once, then `stop`.

    After `quiet_seconds` without a message the server is asked for a sign of life, and has as long to give it.
    """

    def __init__(
        self, link: Link, cipher: Cipher, hub: Hub, quiet_seconds: float, tasks: TaskSupervisor
    ) -> None:
        self._tasks = tasks
        self._quiet_seconds = quiet_seconds
        self._link = link
        self._cipher = cipher
        self._hub = hub
        self._channel = link.key("messages")
        self._listening = asyncio.Event()
        self._pause = _FIRST_PAUSE_SECONDS
        self._deaf = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, limit_seconds: float) -> None:
        """Return when messages are heard. Raises `TimeoutError`."""
        self._task = self._tasks.keep("state messages", self._run)
        async with asyncio.timeout(limit_seconds):
            await self._listening.wait()

    async def stop(self) -> None:
        """Safe to call when it never started."""
        await self._tasks.stop(self._task)

    async def publish(self, topic: str, message: bytes) -> None:
        """To all replicas, this one too. Raises `StateUnavailable`."""
        name = topic.encode()
        sealed = _LENGTH.pack(len(name)) + name + self._cipher.seal(message, "message", topic)
        await self._link.command("PUBLISH", self._channel, sealed)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (exceptions.RedisError, OSError, TimeoutError) as error:
                if not self._deaf:
                    self._deaf = True
                    _log.warning("replicas_not_heard", detail=f"until Redis is back: {error}")
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Until the connection is lost."""
        async with self._link.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            asked = False
            while True:
                message = await pubsub.get_message(timeout=self._quiet_seconds)
                if message is not None:
                    asked = False
                    self._take(message)
                elif asked:
                    raise TimeoutError("the connection is dead")
                else:
                    asked = True
                    await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # The client subscribes again by itself after it had to connect again, too.
            if self._listening.is_set():
                self._hub.gap()
            if self._deaf:
                self._deaf = False
                _log.info("replicas_heard")
            self._listening.set()
            self._pause = _FIRST_PAUSE_SECONDS
        elif message["type"] == "message":
            self._deliver(message["data"])

    def _deliver(self, data: bytes) -> None:
        try:
            (length,) = _LENGTH.unpack_from(data)
            topic = data[_LENGTH.size : _LENGTH.size + length].decode()
            body = self._cipher.open(data[_LENGTH.size + length :], "message", topic)
        except (struct.error, UnicodeDecodeError, StateUnreadable) as error:
            _log.warning("foreign_message", error=str(error))
            self._hub.gap()
        else:
            self._hub.hand_out(topic, body)
