"""The benchmark's upstream: one JSON object per GET, after `?ms=` milliseconds; as bare as asyncio allows.

`python bench/upstream.py [PORT]` prints the port that it listens on."""

from __future__ import annotations

import asyncio
import sys

BODY = b'{"id":1,"name":"bolt","price":2.5,"tags":["small","steel"]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1]
            delay = int(target.partition(b"ms=")[2] or 0)
            if delay:
                await asyncio.sleep(delay / 1000)
            writer.write(HEAD + BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def document(base: str) -> dict[str, object]:
    """An OpenAPI 3.1 document for it."""
    wait = {"name": "ms", "in": "query", "schema": {"type": "integer"}}
    item = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    operation = {
        "operationId": "items/get",
        "tags": ["items"],
        "summary": "Get an item",
        "parameters": [item, wait],
        "responses": {
            "200": {"description": "an item", "content": {"application/json": {"schema": {"type": "object"}}}}
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bench", "version": "1"},
        "servers": [{"url": base}],
        "paths": {"/items/{id}": {"get": operation}},
    }


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int((sys.argv[1:] or ["0"])[0]))
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
