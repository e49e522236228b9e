"""One TCP connection: Hypercorn's, with what it lacks repaired.

- The idle task of Hypercorn 0.18 is waited for after the client has closed, so the descriptor stays for the whole
  keep-alive time (CLOSE_WAIT). Here it ends with the reading side.
- A response is written in one piece, and waited for without a limit. Here it goes out in slices, each of which counts
  as progress; `HeldConnections` ends a connection that makes none.
- The head of a response goes out by itself, before its body. Here it waits until the loop turns, and most answers are
  one packet.
- Closing waits until the client has read what is left. Here too the connection can be ended.

A client that has shut down its sending side only still gets its answer; meanwhile it counts as one that has left.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import h11
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper

from proxy.serving.http.held import STATE_KEY, ConnectionPhase, HeldConnection, HeldConnections

_SLICE: Final = 64 * 1024


class ClientConnection(TCPServer):
    """`held` is told of every change, and knows how to end it."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        held: HeldConnection,
        all_held: HeldConnections,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(app, loop, config, context, {STATE_KEY: held}, reader, writer)
        self._held = held
        self._all = all_held
        self._left = False
        self._head = b""
        self._sending_head: asyncio.Handle | None = None

    async def serve(self) -> None:
        """Until both sides are closed."""
        await self.run()

    async def _read_data(self) -> None:
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            if data:
                if self._held.phase == "idle":
                    self._enter("head")
                await self.protocol.handle(RawData(data))
                self._note_body()
        self._left = True
        self._enter("left")
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    def _note_body(self) -> None:
        """`body` while it has not arrived whole, then `request` again."""
        if self._held.phase in ("request", "body"):
            connection = cast(H11Protocol, self.protocol.protocol).connection
            self._enter("body" if connection.their_state is h11.SEND_BODY else "request")

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData) and not self._head and _is_head(event.data):
            self._head = event.data
            self._sending_head = self.loop.call_soon(self._send_head)
            return
        data = self._take_head() + (event.data if isinstance(event, RawData) else b"")
        if data:
            await self._write(data)
        if isinstance(event, RawData):
            return
        if isinstance(event, Updated):
            if not event.idle:
                self._enter("request")
            else:
                self._all.answered(self._held)
                if self._left:
                    await self._close()
                    return
                self._enter("idle")
        await super().protocol_send(event)

    def _take_head(self) -> bytes:
        if self._sending_head is not None:
            self._sending_head.cancel()
            self._sending_head = None
        head, self._head = self._head, b""
        return head

    def _send_head(self) -> None:
        """No body came at once. Nothing else is being written: a body comes after its head, and through here."""
        self.writer.write(self._take_head())

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        async with self.send_lock:
            self._held.unread = len(view)  # all of it stays in memory until the last slice is out
            try:
                for at in range(0, len(view), _SLICE):
                    self._held.waiting_since = self.loop.time()
                    self.writer.write(view[at : at + _SLICE])
                    await self.writer.drain()
                    if self.writer.transport.is_closing():
                        break
            except (ConnectionError, RuntimeError):
                self.writer.transport.abort()
            finally:
                self._held.unread, self._held.waiting_since = 0, None
            if self.writer.transport.is_closing():
                await self.protocol.handle(Closed())

    async def _initiate_server_close(self) -> None:
        self._enter("closing")
        await super()._initiate_server_close()

    async def _close(self) -> None:
        self._enter("closing")
        await super()._close()

    def _enter(self, phase: ConnectionPhase) -> None:
        self._held.enter(phase, self.loop.time())


def _is_head(data: bytes) -> bool:
    return data.startswith(b"HTTP/1.") and data.endswith(b"\r\n\r\n")
