"""A bare HTTP/1.1 client over asyncio streams, so that the client's own cost does not hide the server's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes


class Client:
    """Keeps connections to one address and reuses them."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._port = port
        self._free: list[Connection] = []
        self._head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, writer in self._free:
            writer.close()

    async def get(self, path: str) -> Response:
        return await self._send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._head}\r\n".encode())

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Response:
        return await self.request("POST", path, body, headers)

    async def request(
        self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Response:
        own = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{self._head}{own}"
        return await self._send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _send(self, request: bytes) -> Response:
        reader, writer = await self._connection()
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            if "chunked" in fields.get("transfer-encoding", ""):
                body = await _chunks(reader)
            else:
                body = await reader.readexactly(int(fields.get("content-length", "0")))
        except BaseException:
            writer.close()
            raise
        if fields.get("connection", "").lower() == "close":
            # The server ends a connection after a number of requests, and says so.
            writer.close()
        else:
            self._free.append((reader, writer))
        return Response(int(lines[0].split(" ")[1]), body)

    async def _connection(self) -> Connection:
        while self._free:
            reader, writer = self._free.pop()
            if not writer.is_closing() and not reader.at_eof():
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self._port, limit=64 * 1024 * 1024)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
