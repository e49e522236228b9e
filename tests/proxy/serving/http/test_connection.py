"""Real sockets against a real listener: what becomes of connections that clients close, slow down or never read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import RawData, Updated

from proxy.serving.http.connection import ClientConnection
from proxy.serving.http.held import ConnectionLimits, EndReason, HeldConnections
from proxy.serving.http.server import HttpLimits, serve_http

LIMIT_SECONDS = 60
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
BIG = 16 * 1024 * 1024


@dataclass
class Listener:
    """`app` answers `/big` with 16 MiB, holds `/wait` until `go_on`, and echoes the length of bodies."""

    held: HeldConnections
    told: list[EndReason]
    port: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        while (message := await receive()).get("more_body"):
            size += len(message["body"])
        if scope["path"] == "/wait":
            await self.go_on.wait()
        if scope["path"] == "/gone":
            assert (await receive())["type"] == "http.disconnect"
            self.left.set()
            await self.go_on.wait()
        body = b"x" * BIG if scope["path"] == "/big" else str(size).encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})
        self.finished.set()

    async def until(self, **use: int) -> None:
        """Wait until the status shows this."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while {name: self.held.use()[name] for name in use} != use:  # noqa: ASYNC110 - a status has no event
                await asyncio.sleep(0.01)

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        writer.write(sent)
        return reader, writer


@asynccontextmanager
async def listening(**limits: Any) -> AsyncIterator[Listener]:
    told: list[EndReason] = []
    held = HeldConnections(
        lambda: ConnectionLimits(**limits), essential=lambda path: path == "/healthz", told=told.append
    )
    listener, shutdown = Listener(held, told), asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_http(
                listener.app,
                host="127.0.0.1",
                port=0,
                shutdown=shutdown,
                bound=port.set_result,
                limits=HttpLimits(grace_seconds=0.05, sweep_seconds=0.05),
                held=held,
            )
        )
        listener.port = await port
        try:
            yield listener
        finally:
            listener.go_on.set()
            shutdown.set()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that the server sends until it closes, one way or the other."""
    said = bytearray()
    async with asyncio.timeout(LIMIT_SECONDS):
        try:
            while chunk := await reader.read(65536):
                said += chunk
        except ConnectionError:
            pass
    return bytes(said)


@pytest.mark.parametrize(
    "sent", [b"", GET, b"GET /healthz HTT", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_a_connection_ends_when_the_client_closes_it(sent: bytes) -> None:
    async with listening() as listener:
        _, writer = await listener.connect(sent)
        await listener.until(open=1)
        writer.close()
        await listener.until(open=0)


async def test_who_has_shut_down_only_its_sending_side_gets_its_answer() -> None:
    async with listening() as listener:
        reader, writer = await listener.connect(b"GET /gone HTTP/1.1\r\nhost: localhost\r\n\r\n")
        writer.write_eof()
        await asyncio.wait_for(listener.left.wait(), LIMIT_SECONDS)
        await listener.until(left=1)
        listener.go_on.set()
        assert (await ended(reader)).endswith(b"\r\n\r\n0")
        writer.close()
        await listener.until(open=0)


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with listening(write_seconds=0.1) as listener:
        _, writer = await listener.connect(b"GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await listener.until(requests=1)
        await asyncio.wait_for(listener.finished.wait(), LIMIT_SECONDS)
        await listener.until(open=0, unread_bytes=0)
        assert listener.told == ["unread"]
        writer.close()


async def test_an_answer_that_is_read_arrives_whole() -> None:
    async with listening() as listener:
        reader, writer = await listener.connect(
            b"GET /big HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        assert len(await ended(reader)) > BIG
        assert listener.told == []
        writer.close()


async def test_a_full_server_ends_the_oldest_idle_connection_and_serves_the_new_one() -> None:
    async with listening(connections=2) as listener:
        first, first_writer = await listener.connect()
        await listener.until(open=1)
        _, second_writer = await listener.connect()
        await listener.until(open=2)
        third, third_writer = await listener.connect(GET)
        assert (await third.readline()).startswith(b"HTTP/1.1 200")
        assert await ended(first) == b""
        assert listener.told == ["displaced"]
        for writer in (first_writer, second_writer, third_writer):
            writer.close()


async def test_a_busy_server_says_so_and_answers_health() -> None:
    async with listening(connections=1) as listener:
        _, running = await listener.connect(b"GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await listener.until(requests=1)
        refused, refused_writer = await listener.connect(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n")
        said = await ended(refused)
        assert said.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in said.lower()
        assert b'"All connections of this server are in use. Try again in a moment."' in said
        healthy, healthy_writer = await listener.connect(GET)
        assert (await healthy.readline()).startswith(b"HTTP/1.1 200")
        for writer in (running, refused_writer, healthy_writer):
            writer.close()


async def test_beyond_the_reserve_the_answer_comes_before_the_request() -> None:
    async with listening(connections=1) as listener:
        waiting = b"GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n"
        _, running = await listener.connect(waiting)
        await listener.until(requests=1)
        writers = [running]
        for number in range(32):
            # Essential, and under way: none of them can make room.
            _, writer = await listener.connect(
                b"GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n"
            )
            writers.append(writer)
            await listener.until(open=number + 2)
        _, writer = await listener.connect()
        writers.append(writer)
        await listener.until(open=33)
        for one in writers:
            one.close()


async def test_pipelined_requests_are_answered_in_turn() -> None:
    async with listening() as listener:
        reader, writer = await listener.connect(
            b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n"
            + GET
            + b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        await listener.until(requests=1)
        listener.go_on.set()
        assert (await ended(reader)).count(b"HTTP/1.1 200") == 3
        writer.close()


# ---- one packet an answer --------------------------------------------------------------------------------------------
class _Writes:
    """What a connection writes, piece by piece, into a transport that takes everything."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        if data:
            self.pieces.append(bytes(data))

    async def drain(self) -> None:
        pass

    @property
    def transport(self) -> _Writes:
        return self

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> None:
        return None


HEAD = b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "pieces"),
    [
        ([HEAD, b"ok", b""], [HEAD + b"ok"]),
        ([HEAD, "turn", b"ok", b""], [HEAD, b"ok"]),
        ([HEAD, b"", "turn"], [HEAD]),
        ([HEAD, "turn", "turn"], [HEAD]),
        ([HEAD, HEAD], [HEAD + HEAD]),  # a body that looks like a head
        ([HEAD, b"ok", HEAD, b"no"], [HEAD + b"ok", HEAD + b"no"]),
        ([HEAD, "idle"], [HEAD]),
    ],
)
async def test_a_head_goes_out_with_its_body_or_at_the_next_turn(
    sent: list[bytes | str], pieces: list[bytes]
) -> None:
    writes: Any = _Writes()
    everybody = HeldConnections()
    held = everybody.admit("127.0.0.1", lambda: None)
    assert held is not None
    app: Any = None
    reader = asyncio.StreamReader()
    connection = ClientConnection(app, Config(), WorkerContext(None), held, everybody, reader, writes)
    async with TaskGroup(asyncio.get_running_loop()) as group:
        connection._task_group = group
        for one in sent:
            if one == "turn":
                await asyncio.sleep(0)
            elif one == "idle":
                await connection.protocol_send(Updated(idle=True))
            elif isinstance(one, bytes):
                await connection.protocol_send(RawData(one))
        await connection.idle_task.stop()
    assert writes.pieces == pieces
