"""A small real HTTP/1.1 server for tests: answers every request with what it received, or with a canned answer.

It normalises nothing, so a test sees the bytes of the request target as they were sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

LIMIT_SECONDS = 60.0


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str | None:
        _, mark, query = self.target.partition("?")
        return query if mark else None

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(found) if found else None


@dataclass
class Reply:
    """A canned answer. `then` is what happens after the head: "close" breaks off, "hang" never ends."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    then: str = ""
    length: int | None = None


Answer = Callable[[Seen], Reply | None]


@dataclass
class Echo:
    """`url` is the origin; `log` every request in order; `replies` maps paths to answers used up one by
    one, and `answer` is asked where there are none. `arrived` is set by every request.
    """

    url: str
    log: list[Seen] = field(default_factory=list)
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None

    def next_reply(self, seen: Seen) -> Reply:
        queue = self.replies.get(seen.path)
        if queue:
            return queue.pop(0) if len(queue) > 1 else queue[0]
        if self.answer is not None and (reply := self.answer(seen)) is not None:
            return reply
        described = {
            "method": seen.method,
            "path": seen.path,
            "query": seen.query,
            "headers": seen.headers,
            "body": base64.b64encode(seen.body).decode(),
        }
        return Reply(200, [("Content-Type", "application/json")], json.dumps(described).encode())


@asynccontextmanager
async def echo_server() -> AsyncIterator[Echo]:
    echo = Echo("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await _read(reader)) is not None:
                echo.log.append(seen)
                echo.arrived.set()
                reply = echo.next_reply(seen)
                if not await _answer(writer, seen, reply):
                    break
                if reply.then == "hang":
                    await reader.read()  # until the client has had enough
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    try:
        echo.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield echo
    finally:
        server.close()


@contextmanager
def echo_thread() -> Iterator[Echo]:
    """The same in a thread with a loop of its own, for many tests that share one address. Clear `log` and `replies`."""
    ready: queue.Queue[tuple[Echo, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with echo_server() as echo:
            ready.put((echo, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="echo")
    thread.start()
    echo, loop, stop = ready.get(timeout=LIMIT_SECONDS)
    try:
        yield echo
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(LIMIT_SECONDS)


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    line = (await reader.readline()).decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ", 2)
    headers: list[tuple[str, str]] = []
    while text := (await reader.readline()).decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers.append((name, value.strip()))
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
    return Seen(method, target, headers, await reader.readexactly(length))


async def _answer(writer: asyncio.StreamWriter, seen: Seen, reply: Reply) -> bool:
    length = len(reply.body) if reply.length is None else reply.length
    head = f"HTTP/1.1 {reply.status} Status\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    if reply.status not in (204, 304):
        head += f"Content-Length: {length}\r\n"
    writer.write(head.encode("latin-1") + b"\r\n" + (b"" if seen.method == "HEAD" else reply.body))
    await writer.drain()
    return reply.then != "close"


def substitute(document: Any, url: str) -> Any:
    """Put a server's URL and port where a document says {{BASE}} and {{PORT}}."""
    text = json.dumps(document).replace("{{BASE}}", url).replace("{{PORT}}", url.rsplit(":", 1)[1])
    return json.loads(text)
