"""Hypercorn's protocol on connections that we accept, inside our own task tree.

The socket is ours, so that port 0 works and its number is known; so is the loop that accepts, so that connections are
counted before anything is read from them (`held`).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import Framework
from hypercorn.utils import wrap_app

from proxy import descriptors
from proxy.serving.http.asgi import NEAR, AsgiApp
from proxy.serving.http.connection import ClientConnection
from proxy.serving.http.held import STATE_KEY, HeldConnection, HeldConnections
from proxy.serving.http.http1 import repair_http_1
from proxy.serving.http.sockets import Opening, bind
from proxy.serving.http.tls import HandshakeFailed, TlsSource, accepted
from proxy.telemetry import Logger

log = Logger("http")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds: `keep_alive` for idle connections, `grace` for what still runs after shutdown was asked for, `sweep`
    between two looks for connections that are too slow."""

    keep_alive_seconds: float = 75.0
    grace_seconds: float = 5.0
    sweep_seconds: float = 1.0
    backlog: int = 512


FULL: Final = (
    b'{"error":{"code":"unavailable","message":"All connections of this server are in use. '
    b'Try again in a moment."}}'
)
_FULL_HEADERS: Final = (
    b"content-type: application/json\r\ncontent-length: %d\r\nretry-after: 2\r\nconnection: close\r\n"
    % len(FULL)
)
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RELIEVED: Final = 16
_RETRY_SECONDS: Final = 0.1
_AT_ONCE: Final = struct.pack("ii", 1, 0)


async def serve_http(
    app: AsgiApp,
    *,
    host: str = "",
    port: int = 0,
    opened: Opening | None = None,
    shutdown: asyncio.Event,
    bound: Callable[[int], None] | None = None,
    limits: HttpLimits | None = None,
    held: HeldConnections | None = None,
    tls: TlsSource | None = None,
) -> None:
    """Serve until `shutdown` is set, then let open requests end for `grace_seconds`, cancel the rest and return.

    `opened` gives the socket, else it is that of `host` and `port`. `bound` is called with the port (0: it has none)
    once the socket listens. Listeners may share `held`. Without `tls` it is plain HTTP. Raises `OSError` when the
    address cannot be had.
    """
    limits = limits or HttpLimits()
    repair_http_1()
    with opened() if opened is not None else closing(bind(host, port)) as sock:
        sock.listen(limits.backlog)
        sock.setblocking(False)
        if bound is not None:
            bound(sock.getsockname()[1] if sock.family != socket.AF_UNIX else 0)
        listener = _Listener(app, sock, limits, HeldConnections() if held is None else held, tls)
        await listener.run(shutdown)


class _Listener:
    """Accepts connections and serves them. Hypercorn's own loop takes whatever comes, and as many at a time as the
    backlog holds, before anybody can count them."""

    def __init__(
        self,
        app: AsgiApp,
        sock: socket.socket,
        limits: HttpLimits,
        held: HeldConnections,
        tls: TlsSource | None = None,
    ) -> None:
        self._requests = _Requests(app)
        self._tls = tls
        self._app = wrap_app(cast(Framework, self._requests), 0, "asgi")
        self._sock = sock
        self._limits = limits
        self._held = held
        self._config = _config(limits)
        self._context = WorkerContext(None)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, shutdown: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept(group), name="http-accept")
            sweeping = group.create_task(self._sweep(), name="http-sweep")
            await shutdown.wait()
            accepting.cancel()
            await asyncio.wait([accepting])
            self._sock.close()
            await self._context.terminated.set()
            await self._drain()
            sweeping.cancel()

    async def _drain(self) -> None:
        if await self._ended(self._limits.grace_seconds):
            return
        self._requests.cancel()
        if await self._ended(1.0):
            return
        log.warning(
            "connections_cut_off", count=len(self._tasks), after_seconds=self._limits.grace_seconds + 1.0
        )
        for task in self._tasks:
            task.cancel()

    async def _ended(self, seconds: float) -> bool:
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)
        return not self._tasks

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(self._sock)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    ended = self._held.relieve(_RELIEVED)
                    log.warning("accept_failed", error=error.strerror, idle_ended=ended)
                    await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._take(sock, peer[0] if self._sock.family != socket.AF_UNIX else NEAR, group)
            await asyncio.sleep(0)

    def _take(self, sock: socket.socket, peer: str, group: asyncio.TaskGroup) -> None:
        ending = _Ending(sock)
        held = self._held.admit(peer, ending, scarce=descriptors.scarce(sock.fileno()))
        if held is None:
            _refuse(sock)
            return
        task = group.create_task(self._serve(sock, peer, held, ending), name="http-connection")
        ending.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before it begins never comes to its own end.
        task.add_done_callback(lambda _: ending())

    async def _serve(self, sock: socket.socket, peer: str, held: HeldConnection, ending: _Ending) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            if held.ended is None:
                held.enter("head", loop.time())
                transport = await accepted(sock, peer, self._tls, lambda: protocol)
                held.enter("idle", loop.time())
                ending.transport = transport
                writer = asyncio.StreamWriter(transport, protocol, reader, loop)
                await ClientConnection(
                    self._app, self._config, self._context, held, self._held, reader, writer
                ).serve()
        except HandshakeFailed:
            pass
        except (ssl.SSLError, TimeoutError) as error:  # the other side did not end TLS as it should
            log.debug("connection_ended_badly", reason=str(error))
        except Exception as error:  # one connection must not end the others
            log.exception("connection_failed", error)
        finally:
            self._held.gone(held)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_seconds)
            self._held.sweep()
            if descriptors.are_scarce():
                self._held.relieve(_RELIEVED)


class _Ending:
    """Closes a connection at once, however far it has come: what the system still holds for the client goes too."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.transport: asyncio.WriteTransport | None = None
        self.task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        if self.transport is None:
            # In a handshake the socket belongs to the loop, which lets go of it when the task ends.
            if self.task is not None and not self.task.done():
                self.task.cancel()
            else:
                self._sock.close()
        elif not self.transport.is_closing() or _holds_bytes(self.transport):
            with suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE
                )
            self.transport.abort()


def _holds_bytes(transport: asyncio.WriteTransport) -> bool:
    try:
        return transport.get_write_buffer_size() > 0
    except AttributeError:  # that of asyncio for TLS, once it is closed
        return False


def _refuse(sock: socket.socket) -> None:
    with closing(sock), suppress(OSError):
        sock.setblocking(False)
        sock.send(b"HTTP/1.1 503 \r\n" + _FULL_HEADERS + b"\r\n" + FULL)
        sock.shutdown(socket.SHUT_WR)


class _Requests:
    """An ASGI app around another one, which knows the tasks of the requests that run."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        held: HeldConnection | None = scope.get("state", {}).get(STATE_KEY)
        if held is not None and not held.serves(scope["path"]):
            return await _answer_full(send)
        task = asyncio.current_task()
        if task is None:
            return await self._app(scope, receive, send)
        self._tasks.add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            self._tasks.discard(task)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _answer_full(send: Any) -> None:
    headers = [tuple(line.split(b": ")) for line in _FULL_HEADERS.split(b"\r\n") if line]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": FULL})


def _config(limits: HttpLimits) -> Config:
    config = Config()
    config.keep_alive_timeout = limits.keep_alive_seconds
    config.graceful_timeout = limits.grace_seconds
    config.accesslog = None
    config.errorlog = _quiet_logger()
    config.include_server_header = False
    return config


def _quiet_logger() -> Any:
    """Hypercorn puts a handler of its own on `hypercorn.error` *and* lets records rise to the root: double
    lines. Given a logger it takes it as it is, so records reach the root handlers once."""
    return logging.getLogger("proxy.serving.hypercorn")
