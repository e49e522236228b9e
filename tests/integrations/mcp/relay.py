"""A TCP relay whose destination can be changed: what a load balancer does when a server is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def relay(place: Mapping[str, str]) -> AsyncIterator[str]:
    """Gives the relay's origin; every new request is sent to `place["origin"]` as it is at that moment."""

    serving: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _request(reader, writer, int(place["origin"].rpartition(":")[2]))
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """One request and its answer; the connection is not kept, so that the next one goes to where it should."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    body = await reader.readexactly(length)
    there, out = await asyncio.open_connection("127.0.0.1", port)
    out.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
    try:
        while data := await there.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        out.close()
