"""What is said to clients whose request cannot even be read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.proxy.serving.support import serving

LARGE = b"a" * 40_000


async def said(url: str, head: bytes) -> tuple[int, dict[str, str], Any]:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    found = await reader.read()
    writer.close()
    first, _, body = found.partition(b"\r\n\r\n")
    line, *headers = first.decode().split("\r\n")
    named = dict(one.lower().split(": ", 1) for one in headers)
    return int(line.split()[1]), named, json.loads(body)


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + LARGE, 401, "unauthorized"),
        (b"GET /mcp HTTP/1.1\r\nHost: a\r\nX-API-Key: " + LARGE, 401, "unauthorized"),
        (b"GET /mcp HTTP/1.1\r\nHost: a\r\nCookie: " + LARGE, 431, "head_too_large"),
        (b"GET /mcp HTTP/1.1\r\nAuthorization: Bearer x\r\nCookie: " + LARGE, 431, "head_too_large"),
        (b"GET /" + LARGE, 431, "head_too_large"),
        (b"GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\0b\r\n\r\n", 400, "bad_request"),
        (b"GET /mcp HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
    ],
)
async def test_a_head_that_cannot_be_read_is_answered_with_words(head: bytes, status: int, code: str) -> None:
    async with serving() as server:
        found, headers, body = await said(server.url, head)
    assert (found, body["error"]["code"], headers["connection"]) == (status, code, "close")
    assert body["error"]["message"].endswith(".")
    assert ('error="invalid_token"' in headers.get("www-authenticate", "")) == (status == 401)
